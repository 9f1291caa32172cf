import assert from "node:assert/strict";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { unpackTar } from "modern-tar";
import { dockerImage, imageIndex, orasArtifact, orasDirectory } from "./artifacts.ts";
import { firmwareBytes } from "./firmware_bytes.ts";
import { type Artifact, type Descriptor, digestOf, MEDIA_TYPES } from "./manifest.ts";

interface Manifest {
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly manifests: readonly Descriptor[];
}

function read(artifact: Artifact): Manifest {
  return JSON.parse(new TextDecoder().decode(artifact.manifest));
}

function layer(artifact: Artifact, at = 0): Uint8Array {
  const bytes = artifact.blobs.get(read(artifact).layers[at]?.digest ?? "");
  assert(bytes);
  return bytes;
}

Deno.test("orasArtifact() is one raw, titled layer under the tar type, with the empty config", () => {
  const artifact = orasArtifact(firmwareBytes(1000));
  const { artifactType, config, layers } = read(artifact);
  assert.equal(artifact.mediaType, MEDIA_TYPES.oci.manifest);
  assert.equal(artifact.digest, digestOf(artifact.manifest));
  assert.equal(artifactType, "application/vnd.unknown.artifact.v1");
  assert.deepEqual(config, {
    mediaType: "application/vnd.oci.empty.v1+json",
    digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    size: 2,
    data: "e30=",
  });
  assert.deepEqual(layers, [{
    mediaType: "application/vnd.oci.image.layer.v1.tar",
    digest: digestOf(firmwareBytes(1000)),
    size: 1000,
    annotations: { "org.opencontainers.image.title": "firmware.bin" },
  }]);
  assert.deepEqual(layer(artifact), firmwareBytes(1000));
});

Deno.test("orasArtifact() leaves the title out when it is null", () => {
  const artifact = orasArtifact(firmwareBytes(8), { title: null, layerMediaType: "a/b" });
  assert.deepEqual(Object.keys(read(artifact).layers[0] ?? {}), ["mediaType", "digest", "size"]);
});

Deno.test("orasDirectory() is a gzipped tar that asks to be unpacked", async () => {
  const artifact = await orasDirectory({ "firmware.bin": firmwareBytes(9) }, "out");
  const entries = await unpackTar(gunzipSync(layer(artifact)));
  assert.deepEqual(entries.map(({ header }) => header.name), ["out/", "out/firmware.bin"]);
  assert.equal(
    read(artifact).layers[0]?.annotations?.["io.deis.oras.content.unpack"],
    "true",
  );
});

for (const compression of ["none", "gzip", "zstd"] as const) {
  for (const mediaTypes of ["oci", "docker"] as const) {
    Deno.test(`dockerImage() packs files as ${mediaTypes} layers, ${compression}`, async () => {
      const files = { "firmware.bin": firmwareBytes(3000), "etc/a/b": firmwareBytes(0) };
      const artifact = await dockerImage(files, { compression, mediaTypes });
      const { config, layers } = read(artifact);
      const unpack = {
        none: (bytes: Uint8Array) => bytes,
        gzip: gunzipSync,
        zstd: zstdDecompressSync,
      };
      const tar = unpack[compression](layer(artifact));
      const entries = await unpackTar(tar);
      assert.equal(layers[0]?.mediaType, MEDIA_TYPES[mediaTypes].layer[compression]);
      assert.deepEqual(
        entries.map(({ header }) => header.name),
        ["etc/", "etc/a/", "firmware.bin", "etc/a/b"],
      );
      assert.deepEqual(entries[2]?.data, files["firmware.bin"]);
      const { rootfs } = JSON.parse(
        new TextDecoder().decode(artifact.blobs.get(config.digest)),
      );
      assert.deepEqual(rootfs.diff_ids, [digestOf(tar)]);
    });
  }
}

Deno.test("dockerImage() makes a layer of each list of files, extra entries in the last", async () => {
  const link = { header: { name: "link", size: 0, type: "link", linkname: "a" } } as const;
  const artifact = await dockerImage(
    [{ a: firmwareBytes(4) }, { ".wh.a": firmwareBytes(0) }],
    { compression: "none", extraEntries: [link] },
  );
  const names = await Promise.all(
    [0, 1].map(async (at) =>
      (await unpackTar(layer(artifact, at))).map(({ header }) => header.name)
    ),
  );
  assert.deepEqual(names, [["a"], [".wh.a", "link"]]);
});

Deno.test("imageIndex() lists images with their platform and others without", async () => {
  const arm = { os: "linux", architecture: "arm", variant: "v7" };
  const children = [await dockerImage({}, { platform: arm }), orasArtifact(firmwareBytes(4))];
  const index = imageIndex(children);
  assert.deepEqual(read(index).manifests.map(({ platform }) => platform), [arm, undefined]);
  assert.deepEqual(index.children, children);
});

for (const [attestation, at] of [["first", 0], ["last", 1], [true, 1]] as const) {
  Deno.test(`imageIndex() with attestation ${attestation} has BuildKit's entry at ${at}`, async () => {
    const image = await dockerImage({ "firmware.bin": firmwareBytes(4) });
    const index = imageIndex([image], { attestation });
    const entry = read(index).manifests[at];
    assert.deepEqual(entry?.platform, { architecture: "unknown", os: "unknown" });
    assert.deepEqual(entry?.annotations, {
      "vnd.docker.reference.digest": image.digest,
      "vnd.docker.reference.type": "attestation-manifest",
    });
    assert.equal(index.children?.[at]?.digest, entry?.digest);
  });
}
