import assert from "node:assert/strict";
import { resolveArtifact } from "../../src/firmware/artifact.ts";
import type { Digest } from "../../src/digest.ts";
import { isServiceError } from "../../src/errors.ts";
import type { DeliveredManifest } from "../../src/oci.ts";
import { dockerImage, imageIndex, orasArtifact, orasDirectory } from "../helpers/artifacts.ts";
import { FakeSource } from "../helpers/fake_source.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import {
  type Artifact,
  type BlobInput,
  digestOf,
  manifestOf,
  MEDIA_TYPES,
  seal,
  utf8,
} from "../helpers/manifest.ts";

const DEVICE = "esp32";
const TITLE = { "org.opencontainers.image.title": "firmware.bin" };
const UNPACK = { "io.deis.oras.content.unpack": "true" };
const firmware = firmwareBytes(100);
const OCTETS = { mediaType: "application/octet-stream", bytes: firmware };

/** Delivers artifacts; says of the tagged one what `delivery` says instead of the truth. */
function sourceOf(artifact: Artifact, delivery: Partial<DeliveredManifest> = {}): FakeSource {
  const source = new FakeSource();
  source.push(DEVICE, "1.0.0", artifact);
  const fetchManifest = source.fetchManifest.bind(source);
  source.fetchManifest = async (device, reference): Promise<DeliveredManifest> => {
    const truth = await fetchManifest(device, reference);
    return truth.claimedDigest === artifact.digest ? { ...truth, ...delivery } : truth;
  };
  return source;
}

function invalid(message: RegExp): (error: unknown) => boolean {
  return (error) => isServiceError(error, "artifact-invalid") && message.test(error.message);
}

for (
  const [what, artifact] of [
    ["oras' artifact", orasArtifact(firmware)],
    ["an OCI image", await dockerImage({ "firmware.bin": firmware })],
    ["a Docker image", await dockerImage({ "firmware.bin": firmware }, { mediaTypes: "docker" })],
  ] as const
) {
  for (const mediaType of [artifact.mediaType, undefined, "application/json"]) {
    Deno.test(`resolveArtifact() finds the layer of ${what} delivered as ${mediaType}`, async () => {
      const { layers: [layer] } = JSON.parse(new TextDecoder().decode(artifact.manifest));
      const found = await resolveArtifact(sourceOf(artifact, { mediaType }), DEVICE, "1.0.0");
      assert.equal(found.digest, artifact.digest);
      assert.equal(found.layer.digest, layer.digest);
      assert.equal(found.layer.size, layer.size);
    });
  }
}

Deno.test("resolveArtifact() reads a manifest that does not say its own media type", async () => {
  const artifact = manifestOf({ layers: [OCTETS], members: { mediaType: undefined } });
  const { layer } = await resolveArtifact(sourceOf(artifact), DEVICE, "1.0.0");
  assert.equal(layer.digest, digestOf(firmware));
});

Deno.test("resolveArtifact() tells an index without any media type by its manifests", async () => {
  const child = orasArtifact(firmware);
  const { manifests } = JSON.parse(new TextDecoder().decode(imageIndex([child]).manifest));
  const index = seal("", new Map(), { schemaVersion: 2, manifests });
  const source = sourceOf({ ...index, children: [child] }, { mediaType: undefined });
  const { layer, digest } = await resolveArtifact(source, DEVICE, "1.0.0");
  assert.deepEqual([layer.digest, digest], [digestOf(firmware), index.digest]);
});

Deno.test("resolveArtifact() keeps what is said of the firmware, the nearer to it the rather", async () => {
  const image = "org.opencontainers.image.";
  const annotations = {
    [`${image}title`]: "Garden pump",
    [`${image}created`]: "2026-02-03T04:05:06Z",
    [`${image}base.name`]: "scratch",
  };
  const child = manifestOf({
    layers: [{
      ...OCTETS,
      annotations: { [`${image}title`]: "firmware.bin", "dev.otaflux.flash-offset": "0x0" },
    }],
    annotations,
  });
  const { manifests: [entry] } = JSON.parse(new TextDecoder().decode(imageIndex([child]).manifest));
  const index = seal(MEDIA_TYPES.oci.index, new Map(), {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.oci.index,
    manifests: [{ ...entry, platform: { os: "none", architecture: "esp32", variant: "c3" } }],
    annotations: { [`${image}title`]: "All pumps", [`${image}version`]: "1.2.3" },
  });
  const found = await resolveArtifact(sourceOf({ ...index, children: [child] }), DEVICE, "1.0.0");
  assert.deepEqual(found.annotations, {
    "dev.otaflux.chip-family": "ESP32-C3",
    "dev.otaflux.flash-offset": "0x0",
    [`${image}title`]: "Garden pump",
    [`${image}version`]: "1.2.3",
    [`${image}created`]: "2026-02-03T04:05:06Z",
  });
});

Deno.test("resolveArtifact() takes the first of several layers", async () => {
  const artifact = orasArtifact(firmware, { moreFiles: { "notes.txt": firmwareBytes(7) } });
  const { layer } = await resolveArtifact(sourceOf(artifact), DEVICE, "1.0.0");
  assert.equal(layer.digest, digestOf(firmware));
});

for (const mediaTypes of ["oci", "docker"] as const) {
  for (const attestation of [false, "first", "last"] as const) {
    Deno.test(`resolveArtifact() takes the first image of an ${mediaTypes} index, attestation: ${attestation}`, async () => {
      const children = [orasArtifact(firmware), orasArtifact(firmwareBytes(9, 2))];
      const index = imageIndex(children, { mediaTypes, attestation });
      const found = await resolveArtifact(sourceOf(index), DEVICE, "1.0.0");
      assert.equal(found.layer.digest, digestOf(firmware));
      assert.equal(found.digest, index.digest);
    });
  }
}

Deno.test("resolveArtifact() knows an attestation by its platform or annotation alone", async () => {
  const note = orasArtifact(firmwareBytes(5));
  const index = imageIndex([
    { artifact: note, claim: { platform: { os: "unknown", architecture: "unknown" } } },
    {
      artifact: note,
      claim: { annotations: { "vnd.docker.reference.type": "attestation-manifest" } },
    },
    orasArtifact(firmware),
  ]);
  const { layer } = await resolveArtifact(sourceOf(index), DEVICE, "1.0.0");
  assert.equal(layer.digest, digestOf(firmware));
});

Deno.test("resolveArtifact() asks an index's child by its digest and believes no other", async () => {
  const child = orasArtifact(firmware);
  const source = sourceOf(imageIndex([child]));
  const fetchManifest = source.fetchManifest.bind(source);
  source.fetchManifest = async (device, reference): Promise<DeliveredManifest> =>
    reference === child.digest
      ? { bytes: utf8("{}"), mediaType: undefined, claimedDigest: child.digest as Digest }
      : await fetchManifest(device, reference);
  await assert.rejects(resolveArtifact(source, DEVICE, "1.0.0"), invalid(/has the digest/));
});

const image = orasArtifact(firmware);
const emptyLayer: BlobInput = { mediaType: "a/b", bytes: new Uint8Array() };
for (
  const [what, artifact, message] of [
    ["an index in an index", imageIndex([imageIndex([image])]), /index in an image index/],
    ["an index without manifests", imageIndex([]), /holds no manifest/],
    [
      "an index of attestations",
      imageIndex([{
        artifact: image,
        claim: { platform: { os: "unknown", architecture: "unknown" } },
      }]),
      /holds no manifest/,
    ],
    [
      "a child that claims to be huge",
      imageIndex([{ artifact: image, claim: { size: 2 ** 40 } }]),
      /too large/,
    ],
    ["no layers", manifestOf({ layers: [] }), /no layers/],
    ["layers: null", manifestOf({ members: { layers: null } }), /no layers/],
    ["an empty layer", manifestOf({ layers: [emptyLayer] }), /is empty/],
    [
      "an empty layer before a full one",
      manifestOf({ layers: [emptyLayer, OCTETS] }),
      /is empty/,
    ],
    [
      "Docker's schema 1",
      seal("application/vnd.docker.distribution.manifest.v1+prettyjws", new Map(), {
        schemaVersion: 1,
        name: "esp32",
        fsLayers: [],
      }),
      /schema 1/,
    ],
    [
      "an unknown digest algorithm",
      manifestOf({ layers: [{ ...OCTETS, claim: { digest: `md5:${"0".repeat(32)}` } }] }),
      /layers\.0\.digest is wrong/,
    ],
    [
      "a negative size",
      manifestOf({ layers: [{ ...OCTETS, claim: { size: -1 } }] }),
      /layers\.0\.size is wrong/,
    ],
    [
      "a fractional size",
      manifestOf({ layers: [{ ...OCTETS, claim: { size: 1.5 } }] }),
      /layers\.0\.size is wrong/,
    ],
    ["no config", manifestOf({ layers: [OCTETS], members: { config: undefined } }), /config/],
    ["a list", { ...image, manifest: utf8("[]"), digest: digestOf(utf8("[]")) }, /no.* object/],
    ["no JSON", { ...image, manifest: utf8("{"), digest: digestOf(utf8("{")) }, /not JSON/],
  ] as const
) {
  Deno.test(`resolveArtifact() refuses ${what}`, async () => {
    await assert.rejects(resolveArtifact(sourceOf(artifact), DEVICE, "1.0.0"), invalid(message));
  });
}

Deno.test("resolveArtifact() refuses a manifest unlike the digest that was asked for", async () => {
  const source = sourceOf(image, { bytes: orasArtifact(firmwareBytes(1, 2)).manifest });
  await assert.rejects(resolveArtifact(source, DEVICE, image.digest), invalid(/has the digest/));
});

Deno.test("resolveArtifact() refuses a manifest unlike the digest that the source claims", async () => {
  const claimedDigest: Digest = `sha256:${"0".repeat(64)}`;
  const source = sourceOf(image, { claimedDigest });
  await assert.rejects(resolveArtifact(source, DEVICE, "1.0.0"), invalid(/has the digest/));
});

Deno.test("resolveArtifact() does not let a claim stand for the digest that was asked for", async () => {
  const other = orasArtifact(firmwareBytes(1, 2));
  const source = sourceOf(image, {
    bytes: other.manifest,
    claimedDigest: other.digest as Digest,
  });
  await assert.rejects(resolveArtifact(source, DEVICE, image.digest), invalid(/has the digest/));
});

Deno.test("resolveArtifact() computes the digest where the source claims none", async () => {
  const source = sourceOf(image, { claimedDigest: undefined });
  assert.equal((await resolveArtifact(source, DEVICE, "1.0.0")).digest, image.digest);
});

Deno.test("resolveArtifact() checks and keeps a digest of SHA-512", async () => {
  const digest = digestOf(image.manifest, "sha512") as Digest;
  const source = sourceOf(image, { claimedDigest: digest });
  assert.equal((await resolveArtifact(source, DEVICE, "1.0.0")).digest, digest);
});

const imageConfigs = [MEDIA_TYPES.oci.config, MEDIA_TYPES.docker.config];
for (
  const [form, what, artifact] of [
    ["raw", "a title under the tar type", orasArtifact(firmware)],
    ["raw", "a title under octets", orasArtifact(firmware, { layerMediaType: "a/octets" })],
    [
      "raw",
      "a title under the gzip type",
      orasArtifact(firmware, { layerMediaType: MEDIA_TYPES.oci.layer.gzip }),
    ],
    ...imageConfigs.map((mediaType) =>
      [
        "raw",
        `a title with the config ${mediaType}`,
        orasArtifact(firmware, { config: { mediaType, bytes: utf8("{}") } }),
      ] as const
    ),
    ["archive", "oras' folder", await orasDirectory({ "firmware.bin": firmware })],
    [
      "archive",
      "unpack without a title",
      manifestOf({ layers: [{ ...OCTETS, annotations: UNPACK }] }),
    ],
    [
      "raw",
      "a title with unpack: false",
      manifestOf({
        layers: [{
          ...OCTETS,
          annotations: { ...TITLE, "io.deis.oras.content.unpack": "false" },
        }],
      }),
    ],
    ...imageConfigs.map((mediaType) =>
      [
        "archive",
        `no title with the config ${mediaType}`,
        manifestOf({ layers: [OCTETS], config: { mediaType, bytes: utf8("{}") } }),
      ] as const
    ),
    ["sniff", "no title with the empty config", orasArtifact(firmware, { title: null })],
    [
      "sniff",
      "no title with the empty config under the tar type",
      orasArtifact(firmware, { title: null, layerMediaType: MEDIA_TYPES.oci.layer.none }),
    ],
    [
      "sniff",
      "annotations: null",
      manifestOf({
        members: {
          layers: [{
            mediaType: "a/b",
            digest: digestOf(firmware),
            size: firmware.length,
            annotations: null,
          }],
        },
      }),
    ],
  ] as const
) {
  Deno.test(`resolveArtifact() reads ${what} as ${form}`, async () => {
    const found = await resolveArtifact(sourceOf(artifact), DEVICE, "1.0.0");
    assert.equal(found.form, form);
  });
}
