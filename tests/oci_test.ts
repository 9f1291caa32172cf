import assert from "node:assert/strict";
import fc from "fast-check";
import { describeError, isServiceError } from "../src/errors.ts";
import { MANIFEST_MEDIA_TYPES, parseIndex, parseManifest } from "../src/oci.ts";
import { dockerImage, imageIndex, orasArtifact } from "./helpers/artifacts.ts";
import { firmwareBytes } from "./helpers/firmware_bytes.ts";
import { describeArtifact, utf8 } from "./helpers/manifest.ts";

const SHA256 = `sha256:${"0".repeat(64)}` as const;
const DESCRIPTOR = { mediaType: "a/b", digest: SHA256, size: 3 };

Deno.test("parseManifest() reads what tools push", async () => {
  const artifact = orasArtifact(firmwareBytes(10));
  for (const image of [artifact, await dockerImage({ a: firmwareBytes(10) })]) {
    const parsed = parseManifest(image.manifest, undefined);
    const written = JSON.parse(new TextDecoder().decode(image.manifest));
    assert.ok(parsed.kind === "manifest");
    assert.equal(parsed.config.digest, written.config.digest);
    assert.deepEqual(parsed.layers.map(({ digest }) => digest), [...image.blobs.keys()].slice(1));
  }
  for (const mediaTypes of ["oci", "docker"] as const) {
    const { manifest } = imageIndex([artifact], { mediaTypes });
    const parsed = parseManifest(manifest, undefined);
    assert.ok(parsed.kind === "index");
    assert.deepEqual(parsed.manifests, [describeArtifact(artifact)]);
  }
});

Deno.test("parseManifest() believes the document before whoever delivered it", async (t) => {
  const { ociIndex, ociManifest, dockerList, dockerManifest } = MANIFEST_MEDIA_TYPES;
  const both = { config: DESCRIPTOR, layers: [], manifests: [] };
  const cases = [
    [{ ...both, mediaType: ociIndex }, ociManifest, "index"],
    [{ ...both, mediaType: ociManifest }, ociIndex, "manifest"],
    [both, ociIndex, "index"],
    [both, dockerList, "index"],
    [both, dockerManifest, "manifest"],
    [{ manifests: [] }, undefined, "index"],
    [{ manifests: [] }, "text/plain", "index"],
    [{ config: DESCRIPTOR }, undefined, "manifest"],
    [{ config: DESCRIPTOR, layers: null }, "application/json", "manifest"],
  ] as const;
  for (const [document, delivered, kind] of cases) {
    await t.step(`${JSON.stringify(document).slice(0, 60)} as ${delivered}`, () => {
      assert.equal(parseManifest(utf8(JSON.stringify(document)), delivered).kind, kind);
    });
  }
});

Deno.test("parseManifest() refuses what is neither manifest nor index", async (t) => {
  const manifest = (layer: unknown): string =>
    JSON.stringify({ config: DESCRIPTOR, layers: [layer] });
  const cases: Readonly<Record<string, string>> = {
    "nothing": "",
    "no JSON": "{",
    "no object": "[]",
    "null": "null",
    "text": '"sha256"',
    "an empty object": "{}",
    "schema 1": '{"schemaVersion":1,"name":"a","fsLayers":[]}',
    "no config": JSON.stringify({ layers: [DESCRIPTOR] }),
    "layers that are no list": JSON.stringify({ config: DESCRIPTOR, layers: DESCRIPTOR }),
    "an index without manifests": JSON.stringify({ mediaType: MANIFEST_MEDIA_TYPES.ociIndex }),
    "an unknown digest": manifest({ ...DESCRIPTOR, digest: "md5:00" }),
    "a digest that leads elsewhere": manifest({ ...DESCRIPTOR, digest: "sha256:../../etc" }),
    "no digest": manifest({ mediaType: "a/b", size: 3 }),
    "no size": manifest({ mediaType: "a/b", digest: SHA256 }),
    "a negative size": manifest({ ...DESCRIPTOR, size: -1 }),
    "half a byte": manifest({ ...DESCRIPTOR, size: 0.5 }),
    "a size beyond numbers": manifest({ ...DESCRIPTOR, size: 2 ** 53 }),
    "a size in letters": manifest({ ...DESCRIPTOR, size: "3" }),
    "annotations that are no text": manifest({ ...DESCRIPTOR, annotations: { a: 1 } }),
  };
  for (const [name, text] of Object.entries(cases)) {
    await t.step(name, () => {
      assert.throws(
        () => parseManifest(utf8(text), undefined),
        (error) => isServiceError(error, "artifact-invalid") && describeError(error) !== "",
      );
    });
  }
  await t.step("no UTF-8", () => {
    const bytes = new Uint8Array([...utf8('{"a":"'), 0xff, ...utf8('"}')]);
    assert.throws(() => parseManifest(bytes, undefined), { code: "artifact-invalid" });
  });
});

Deno.test("parseManifest() names the place that is wrong", () => {
  const document = { config: DESCRIPTOR, layers: [DESCRIPTOR, { ...DESCRIPTOR, size: -1 }] };
  assert.throws(() => parseManifest(utf8(JSON.stringify(document)), undefined), {
    code: "artifact-invalid",
    message: "Document is no image manifest: layers.1.size is wrong",
  });
});

Deno.test("parseManifest() takes any bytes without another error than its own", () => {
  const bytes = fc.oneof(
    fc.uint8Array(),
    fc.json().map(utf8),
    fc.record({
      mediaType: fc.oneof(fc.constantFrom(...Object.values(MANIFEST_MEDIA_TYPES)), fc.jsonValue()),
      config: fc.oneof(fc.constant(DESCRIPTOR), fc.jsonValue()),
      layers: fc.jsonValue(),
      manifests: fc.jsonValue(),
    }, { requiredKeys: [] }).map((document) => utf8(JSON.stringify(document))),
  );
  fc.assert(fc.property(bytes, (document) => {
    try {
      parseManifest(document, undefined);
    } catch (error) {
      assert.ok(isServiceError(error, "artifact-invalid"));
    }
  }));
});

Deno.test("parseIndex() reads an index, with or without its media type", () => {
  const index = parseIndex(utf8(JSON.stringify({ schemaVersion: 2, manifests: [DESCRIPTOR] })));
  assert.deepEqual(index, { kind: "index", manifests: [DESCRIPTOR], annotations: {} });
  for (const text of ["{}", "[]", "", '{"manifests":{}}', '{"manifests":[{}]}']) {
    assert.throws(() => parseIndex(utf8(text)), { code: "artifact-invalid" });
  }
});

Deno.test("parseManifest() reads annotations, and refuses no firmware because of strange ones", () => {
  for (
    const [annotations, read] of [
      [{ a: "b" }, { a: "b" }],
      [undefined, {}],
      [null, {}],
      [{ a: 1 }, {}],
      ["a", {}],
    ] as const
  ) {
    const document = { schemaVersion: 2, config: DESCRIPTOR, layers: [DESCRIPTOR], annotations };
    const bytes = new TextEncoder().encode(JSON.stringify(document));
    assert.deepEqual(parseManifest(bytes, undefined).annotations, read);
  }
});

Deno.test("parseManifest() does not collect what is wrong with each of a million entries", () => {
  const config = `{"digest":"sha256:${"0".repeat(64)}","size":2}`;
  const bytes = new TextEncoder().encode(
    `{"config":${config},"layers":[${"0,".repeat(1_900_000)}0]}`,
  );
  const before = Deno.memoryUsage().heapTotal;
  assert.throws(() => parseManifest(bytes, undefined), /layers\.0 is wrong/);
  // All complaints together take more than a gigabyte.
  assert.ok(Deno.memoryUsage().heapTotal - before < 300_000_000);
});
