/**
 * Documents of others: manifests, indexes, lists of referrers, records on disk, messages at a broker,
 * and what registries' webhooks say.
 */
import assert from "node:assert/strict";
import { REGISTRIES } from "../../src/api/registries.ts";
import { Refusal, repositoryIn, type Webhook } from "../../src/api/webhook.ts";
import { isDigest } from "../../src/digest.ts";
import { isServiceError } from "../../src/errors.ts";
import { keptAnnotations } from "../../src/firmware/annotations.ts";
import { resolveArtifact } from "../../src/firmware/artifact.ts";
import { rankVersions } from "../../src/firmware/version.ts";
import { parseMessage } from "../../src/notifier/message.ts";
import { Topics } from "../../src/notifier/topics.ts";
import { parseIndex, parseManifest, parseReferrers } from "../../src/oci.ts";
import { isRepositoryName } from "../../src/repository.ts";
import { formatIndex, parseIndex as parseRecord } from "../../src/store/record.ts";
import { imageIndex, orasArtifact } from "../helpers/artifacts.ts";
import { recordOf } from "../helpers/disk.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { asHeader, damagedBytes, damagedText, fuzz } from "../helpers/fuzz.ts";
import { harborCloudEvent, harborEvent } from "../helpers/harbor.ts";
import { below, oneOf, restructure } from "../helpers/mutations.ts";
import { utf8 } from "../helpers/manifest.ts";

const DIGEST = `sha256:${"0a".repeat(32)}`;

/** Damages what it says, or how it is spelt. */
function damagedJson(sample: Uint8Array, random: () => number): Uint8Array<ArrayBuffer> {
  let bytes = new Uint8Array(sample);
  for (let times = 1 + below(3, random); times > 0; times--) {
    if (random() < 0.2) bytes = damagedBytes(bytes, random);
    else {
      try {
        bytes = restructure(bytes, random);
      } catch {
        // What is broken already cannot be restructured.
        bytes = damagedBytes(bytes, random);
      }
    }
    if (bytes.length > 200_000) return bytes;
  }
  return bytes;
}

const oras = orasArtifact(firmwareBytes(100), {
  annotations: { "org.opencontainers.image.version": "1" },
});
const index = imageIndex([{
  artifact: oras,
  claim: { platform: { os: "linux", architecture: "esp32c3" } },
}]);
const MANIFESTS = [oras, index].map(({ manifest }) => new Uint8Array(manifest));
const TYPES = [oras.mediaType, index.mediaType, "", "text/html"];

fuzz("a manifest is read, or is artifact-invalid", (random) => {
  const bytes = damagedJson(oneOf(MANIFESTS, random), random);
  for (
    const read of [
      () => parseManifest(bytes, oneOf(TYPES, random) || undefined),
      () => parseIndex(bytes),
    ]
  ) {
    try {
      const content = read();
      const descriptors = content.kind === "index"
        ? content.manifests
        : [content.config, ...content.layers];
      for (const { digest, size } of descriptors) {
        assert(isDigest(digest) && Number.isSafeInteger(size) && size >= 0);
      }
      const kept = Object.entries(keptAnnotations(content.annotations));
      assert(kept.length <= 16 && kept.every(([, value]) => value.length <= 512));
    } catch (error) {
      assert(isServiceError(error, "artifact-invalid"), `${error}`);
    }
  }
});

fuzz(
  "an artifact is found by documents that hash to their digests, or not at all",
  async (random) => {
    const bytes = damagedJson(oneOf(MANIFESTS, random), random);
    const claimed = random() < 0.3 ? DIGEST : undefined;
    try {
      const artifact = await resolveArtifact(
        {
          fetchManifest: (_device, reference) =>
            Promise.resolve({
              bytes: reference === oras.digest ? oras.manifest : bytes,
              mediaType: oneOf(TYPES, random) || undefined,
              claimedDigest: claimed as undefined,
            }),
        },
        "pump",
        "1.0.0",
      );
      assert(isDigest(artifact.layer.digest) && artifact.layer.size > 0);
    } catch (error) {
      assert(isServiceError(error, "artifact-invalid"), `${error}`);
    }
  },
);

fuzz("a list of referrers gives what makes sense of it, or is refused", (random) => {
  const bytes = damagedJson(oneOf(MANIFESTS, random), random);
  try {
    for (const { digest } of parseReferrers(bytes)) assert(isDigest(digest));
  } catch (error) {
    assert(isServiceError(error, "artifact-invalid"), `${error}`);
  }
});

fuzz("the version of a tag can stand in a header and in a line", (random) => {
  const tags = Array.from(
    { length: 1 + below(5, random) },
    () => damagedText(["1.2.3", "v1.0.0-rc.1_build.5", "2.0.0_1", "latest"], random).slice(0, 300),
  );
  const versions = rankVersions(tags);
  for (const { tag, version } of versions) {
    assert(tags.includes(tag));
    assert.match(version, /^\d+\.\d+\.\d+[0-9A-Za-z.+-]*$/);
  }
  assert.deepEqual(
    rankVersions(tags.toReversed()).map(({ version }) => version),
    versions.map(({ version }) => version),
  );
});

const record = recordOf(firmwareBytes(100));
const [top] = record.documents;
const RECORD = utf8(formatIndex(
  top === undefined ? [] : [{
    ...{ selection: "", savedAt: new Date(0), firmware: record.firmware },
    top: { mediaType: top.mediaType, size: top.bytes.length },
    blobs: [top.digest, record.layer.digest],
  }],
));

fuzz("a record on disk says what can be served, or nothing", (random) => {
  // The notes are JSON within JSON: damaged from within, too.
  let bytes = damagedJson(RECORD, random);
  if (random() < 0.7) {
    const document = JSON.parse(new TextDecoder().decode(RECORD));
    const { annotations } = document.manifests[0];
    const name = "dev.otaflux.firmware";
    annotations[name] = new TextDecoder().decode(damagedJson(utf8(annotations[name]), random));
    bytes = utf8(JSON.stringify(document));
  }
  const read = parseRecord(new TextDecoder().decode(bytes));
  for (const { firmware } of read) {
    assert(isDigest(firmware.digest) && Number.isSafeInteger(firmware.size) && firmware.size > 0);
    assert(firmware.crc32 >= 0 && firmware.crc32 < 2 ** 32);
    new Headers({
      "x-firmware-version": firmware.version,
      "last-modified": firmware.modifiedAt.toUTCString(),
    });
    assert.match(JSON.stringify(firmware.modifiedAt.toISOString()), /Z"$/);
  }
});

const MESSAGES = [`{"version":"1.0.0","size":3,"crc32":7,"sha256":"ab","digest":"${DIGEST}"}`];

fuzz("a message at the broker is a name, or nothing", (random) => {
  const bytes = random() < 0.5
    ? damagedJson(utf8(oneOf(MESSAGES, random)), random)
    : damagedBytes(utf8(oneOf(MESSAGES, random)), random);
  const name = parseMessage(bytes);
  if (name !== undefined) assert.equal(typeof name.version, "string");
  const topic = damagedText(["ota/pump", "ota/$state", "ota/garden/pump"], random, ["/#", "/+"]);
  const device = new Topics("ota").deviceOf(topic);
  if (device !== undefined) assert(isRepositoryName(device) && topic === `ota/${device}`);
});

const GITHUB = {
  action: "published",
  package: {
    name: "pump",
    package_type: "CONTAINER",
    owner: { login: "Factory" },
    package_version: {
      version: DIGEST,
      package_url: "ghcr.io/Factory/pump:1.0.0",
      container_metadata: { tag: { name: "1.0.0" } },
    },
  },
};
const GITEA = {
  action: "created",
  package: { name: "pump", type: "container", version: "1.0.0", owner: { login: "factory" } },
};
const EVENT = {
  action: "push",
  target: { mediaType: "a/b", repository: "factory/pump", tag: "1.0.0", digest: DIGEST },
};
const PAYLOADS: Readonly<Record<keyof typeof REGISTRIES, readonly unknown[]>> = {
  harbor: [
    harborEvent({ repository: "factory/pump" }),
    harborCloudEvent({ repository: "factory/pump" }),
  ],
  distribution: [{ events: [EVENT, EVENT] }, EVENT],
  zot: [{ name: "factory/pump", reference: "1.0.0" }],
  dockerhub: [{ push_data: { tag: "1.0.0" }, repository: { repo_name: "factory/pump" } }],
  quay: [{ repository: "factory/pump", updated_tags: ["1.0.0"] }],
  github: [GITHUB, { action: "published", registry_package: GITHUB.package }],
  gitea: [GITEA],
  artifactory: [{
    domain: "docker",
    event_type: "pushed",
    data: { repo_key: "local", image_name: "factory/pump", tag: "1.0.0" },
  }],
};

for (const [name, payloads] of Object.entries(PAYLOADS)) {
  const webhook: Webhook = REGISTRIES[name as keyof typeof REGISTRIES];
  fuzz(`what ${name} sends is read, or is a Refusal`, (random) => {
    const body = damagedJson(utf8(JSON.stringify(oneOf(payloads, random))), random);
    const headers = new Headers({
      "content-type": oneOf(["application/json", "application/x-www-form-urlencoded"], random),
      "x-github-event": asHeader(damagedText(["package"], random)),
      "x-github-delivery": "1",
      "x-gitea-event": asHeader(damagedText(["package"], random)),
      "ce-type": asHeader(damagedText(["zotregistry.image.updated"], random)),
      "ce-id": "1",
    });
    try {
      webhook.identify({ headers, body });
      for (const event of webhook.read({ headers, body }).events) {
        assert.equal(typeof event.repository, "string");
      }
    } catch (error) {
      assert(error instanceof Refusal, `${error}`);
    }
  });
}

fuzz("a reference is taken apart without an address or a tag", (random) => {
  const samples = ["ghcr.io/Owner/name:1.0.0", `https://localhost:5000/a/b@${DIGEST}`, "a/b"];
  const repository = repositoryIn(damagedText(samples, random, [":", "/", "@"]));
  assert(!repository.includes("@"));
  assert(!repository.slice(repository.lastIndexOf("/") + 1).includes(":"));
});
