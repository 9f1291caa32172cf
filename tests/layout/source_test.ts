import assert from "node:assert/strict";
import type { Digest } from "../../src/digest.ts";
import { isServiceError } from "../../src/errors.ts";
import { LayoutSource } from "../../src/layout/source.ts";
import type { Descriptor } from "../../src/oci.ts";
import { imageIndex, orasArtifact } from "../helpers/artifacts.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { writeLayout } from "../helpers/layout.ts";
import { type Artifact, describeArtifact, digestOf } from "../helpers/manifest.ts";

const DEVICE = "esp32";
const REF_NAME = "org.opencontainers.image.ref.name";
const firmware = firmwareBytes(200_000);
const artifact = orasArtifact(firmware);
const layer: Descriptor = {
  mediaType: "",
  digest: digestOf(firmware) as Digest,
  size: firmware.length,
};

/** A temporary folder of layouts that is gone at the end of the test. */
class Layouts implements AsyncDisposable {
  readonly directory = Deno.makeTempDirSync();

  /** A source of these layouts. */
  source(repositoryPrefix = ""): LayoutSource {
    return new LayoutSource({ directory: this.directory, repositoryPrefix });
  }

  async write(tag: string, content: Artifact = artifact, repository = DEVICE): Promise<void> {
    await writeLayout(`${this.directory}/${repository}`, tag, content);
  }

  /** Replaces a device's `index.json`. */
  async writeIndex(text: string): Promise<void> {
    await Deno.mkdir(`${this.directory}/${DEVICE}`, { recursive: true });
    await Deno.writeTextFile(`${this.directory}/${DEVICE}/index.json`, text);
  }

  blobPath(digest: string): string {
    return `${this.directory}/${DEVICE}/blobs/${digest.replace(":", "/")}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}

async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(
    await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>)
      .arrayBuffer(),
  );
}

Deno.test("LayoutSource reads tags, digests, manifests and blobs of a layout", async () => {
  await using layouts = new Layouts();
  await layouts.write("1.0.0");
  await layouts.write("1.1.0", orasArtifact(firmwareBytes(4)));
  const source = layouts.source();
  assert.deepEqual(await source.listTags(DEVICE), ["1.0.0", "1.1.0"]);
  assert.equal(await source.peekDigest(DEVICE, "1.0.0"), artifact.digest);
  for (const reference of ["1.0.0", artifact.digest]) {
    const { bytes, claimedDigest } = await source.fetchManifest(DEVICE, reference);
    assert.deepEqual(new Uint8Array(bytes), artifact.manifest);
    assert.equal(claimedDigest, artifact.digest);
  }
  assert.deepEqual(await bytesOf(await source.openBlob(DEVICE, layer)), new Uint8Array(firmware));
});

Deno.test("LayoutSource.fetchManifest() finds the children of an index", async () => {
  await using layouts = new Layouts();
  const index = imageIndex([artifact]);
  await layouts.write("1.0.0", index);
  const source = layouts.source();
  assert.equal((await source.fetchManifest(DEVICE, "1.0.0")).mediaType, index.mediaType);
  const child = await source.fetchManifest(DEVICE, artifact.digest);
  assert.deepEqual(new Uint8Array(child.bytes), artifact.manifest);
});

Deno.test("LayoutSource puts the prefix before the device, and takes ids of several parts", async () => {
  await using layouts = new Layouts();
  await layouts.write("1.0.0", artifact, "factory/line-1/esp32");
  assert.deepEqual(await layouts.source("factory").listTags("line-1/esp32"), ["1.0.0"]);
  assert.deepEqual(await layouts.source().listTags("factory/line-1/esp32"), ["1.0.0"]);
  const slashed = new LayoutSource({ directory: `${layouts.directory}//`, repositoryPrefix: "" });
  assert.deepEqual(await slashed.listTags("factory/line-1/esp32"), ["1.0.0"]);
});

Deno.test("LayoutSource reads the tag out of a whole reference, as containerd writes it", async () => {
  await using layouts = new Layouts();
  await layouts.write("registry.example:5000/factory/esp32:v1.2.0");
  const source = layouts.source();
  assert.deepEqual(await source.listTags(DEVICE), ["v1.2.0"]);
  assert.equal(await source.peekDigest(DEVICE, "v1.2.0"), artifact.digest);
});

Deno.test("LayoutSource leaves entries without a tag out, and takes the last of the same tag", async () => {
  await using layouts = new Layouts();
  const [untagged, old, newest] = [1, 2, 3].map((seed) => orasArtifact(firmwareBytes(4, seed)))
    .map(describeArtifact);
  const annotations = { [REF_NAME]: "1.0.0" };
  const manifests = [{ ...old, annotations }, untagged, { ...newest, annotations }];
  await layouts.writeIndex(JSON.stringify({ schemaVersion: 2, manifests }));
  const source = layouts.source();
  assert.deepEqual(new Set(await source.listTags(DEVICE)), new Set(["1.0.0"]));
  assert.equal(await source.peekDigest(DEVICE, "1.0.0"), newest?.digest);
});

Deno.test("LayoutSource sees a tag that was moved since", async () => {
  await using layouts = new Layouts();
  const source = layouts.source();
  await layouts.write("1.0.0");
  await source.peekDigest(DEVICE, "1.0.0");
  const moved = orasArtifact(firmwareBytes(4, 2));
  await layouts.write("1.0.0", moved);
  assert.equal(await source.peekDigest(DEVICE, "1.0.0"), moved.digest);
});

Deno.test("LayoutSource knows no firmware of a device without a layout", async () => {
  await using layouts = new Layouts();
  const source = layouts.source();
  const unknown = { code: "firmware-unknown" };
  await assert.rejects(source.listTags(DEVICE), unknown);
  await assert.rejects(source.peekDigest(DEVICE, "1.0.0"), unknown);
  await assert.rejects(source.fetchManifest(DEVICE, "1.0.0"), unknown);
  await assert.rejects(source.fetchManifest(DEVICE, artifact.digest), unknown);
  await Deno.writeTextFile(`${layouts.directory}/file`, "");
  await assert.rejects(source.listTags("file"), unknown);
});

Deno.test("LayoutSource knows no firmware of a tag or digest that is not there", async () => {
  await using layouts = new Layouts();
  await layouts.write("1.0.0");
  const source = layouts.source();
  const unknown = { code: "firmware-unknown" };
  await assert.rejects(source.peekDigest(DEVICE, "2.0.0"), unknown);
  await assert.rejects(source.fetchManifest(DEVICE, "2.0.0"), unknown);
  await assert.rejects(source.fetchManifest(DEVICE, `sha256:${"0".repeat(64)}`), unknown);
  await Deno.remove(layouts.blobPath(artifact.digest));
  await assert.rejects(source.fetchManifest(DEVICE, "1.0.0"), unknown);
});

Deno.test("LayoutSource does not take a folder that is gone for devices without firmware", async () => {
  await using layouts = new Layouts();
  const directory = `${layouts.directory}/unmounted`;
  const source = new LayoutSource({ directory, repositoryPrefix: "" });
  const attempts = [
    source.listTags(DEVICE),
    source.peekDigest(DEVICE, "1.0.0"),
    source.fetchManifest(DEVICE, "1.0.0"),
    source.fetchManifest(DEVICE, artifact.digest),
    source.openBlob(DEVICE, layer),
  ];
  for (const result of await Promise.allSettled(attempts)) {
    assert(result.status === "rejected");
    assert(isServiceError(result.reason, "source-unavailable"), String(result.reason));
    assert(!result.reason.message.includes(directory), "devices need not know the folder");
  }
});

for (
  const [what, text] of [
    ["empty", ""],
    ["cut", `{"schemaVersion": 2, "manifests": [`],
    ["a list", "[]"],
    ["without manifests", `{"schemaVersion": 2}`],
    ["with a wrong digest", `{"manifests": [{"digest": "sha256:../../x", "size": 1}]}`],
    ["larger than 4 MiB", " ".repeat(4 * 1024 * 1024 + 1)],
  ] as const
) {
  Deno.test(`LayoutSource calls an index.json invalid that is ${what}`, async () => {
    await using layouts = new Layouts();
    await layouts.writeIndex(text);
    await assert.rejects(layouts.source().listTags(DEVICE), (error) => {
      assert(isServiceError(error, "source-invalid"), String(error));
      return !error.message.includes(layouts.directory);
    });
  });
}

Deno.test("LayoutSource cannot read an index.json that is a folder", async () => {
  await using layouts = new Layouts();
  await Deno.mkdir(`${layouts.directory}/${DEVICE}/index.json`, { recursive: true });
  await assert.rejects(layouts.source().listTags(DEVICE), { code: "source-unavailable" });
});

Deno.test("LayoutSource.openBlob() refuses an artifact whose blob is missing", async () => {
  await using layouts = new Layouts();
  await layouts.write("1.0.0");
  await Deno.remove(layouts.blobPath(layer.digest));
  await assert.rejects(layouts.source().openBlob(DEVICE, layer), {
    code: "artifact-invalid",
    message: `Blob ${layer.digest} of "${DEVICE}" is missing`,
  });
});

Deno.test("LayoutSource.openBlob() closes the file when its reader stops early", async () => {
  await using layouts = new Layouts();
  await layouts.write("1.0.0");
  const reader = (await layouts.source().openBlob(DEVICE, layer)).getReader();
  await reader.read();
  // An open file would be found by the test runner's check of resources.
  await reader.cancel();
});

for (
  const device of ["..", "../esp32", "esp32/../..", "/etc", ".", "", "a//b", "a/", "%2e%2e", "A"]
) {
  Deno.test(`LayoutSource does not look for the device ${JSON.stringify(device)}`, async () => {
    await using layouts = new Layouts();
    await layouts.write("1.0.0");
    const source = new LayoutSource({
      directory: `${layouts.directory}/${DEVICE}`,
      repositoryPrefix: "",
    });
    const invalid = { code: "device-invalid" };
    await assert.rejects(source.listTags(device), invalid);
    await assert.rejects(source.peekDigest(device, "1.0.0"), invalid);
    await assert.rejects(source.fetchManifest(device, artifact.digest), invalid);
    await assert.rejects(source.openBlob(device, layer), invalid);
  });
}

Deno.test("LayoutSource.ping() finds out whether the folder is there", async () => {
  const directory = await Deno.makeTempDir();
  const source = new LayoutSource({ directory, repositoryPrefix: "" });
  await source.ping();
  await Deno.remove(directory);
  await assert.rejects(source.ping(), { code: "source-unavailable" });
});
