import assert from "node:assert/strict";
import { chooseEntry, chooseLayer, fileTitles, isForHardware } from "../../src/firmware/parts.ts";
import { type Descriptor, type ImageManifest, TITLE_ANNOTATION } from "../../src/oci.ts";
import type { Selection } from "../../src/selection.ts";

const VARIANT = "dev.otaflux.variant";

/** An entry that is known by its size. */
function entry(size: number, rest: Partial<Descriptor> = {}): Descriptor {
  return { mediaType: "a/b", digest: `sha256:${"0".repeat(64)}`, size, ...rest };
}

const ENTRIES = [
  entry(0, { platform: { os: "unknown", architecture: "unknown" } }),
  entry(1, { platform: { os: "linux", architecture: "arm", variant: "v6" } }),
  entry(2, { platform: { os: "linux", architecture: "arm", variant: "v7" } }),
  entry(3, { platform: { os: "none", architecture: "esp32c3", "os.features": ["psram", "v6"] } }),
  entry(4, { annotations: { [VARIANT]: "arm" } }),
  entry(5, { platform: null, annotations: null }),
  entry(6, { annotations: { "vnd.docker.reference.type": "attestation-manifest" } }),
];

for (
  const [selection, size] of [
    [{}, 1],
    [{ platform: "linux/arm" }, 1],
    [{ platform: "linux/arm/v7" }, 2],
    [{ platform: "linux/arm/v8" }, undefined],
    [{ platform: "unknown/unknown" }, undefined],
    [{ platform: "none/esp32c3" }, 3],
    [{ variant: "v7" }, 2],
    [{ variant: "esp32c3" }, 3],
    [{ variant: "psram" }, 3],
    // What is annotated goes before an architecture of that name, and an earlier entry before a
    // later one.
    [{ variant: "arm" }, 4],
    [{ variant: "v6" }, 1],
    [{ variant: "v6", platform: "none/esp32c3" }, 3],
    [{ variant: "V7" }, undefined],
    [{ variant: "arm", platform: "linux/arm/v7" }, 2],
  ] as readonly (readonly [Selection, number | undefined])[]
) {
  Deno.test(`chooseEntry() of ${JSON.stringify(selection)} is ${size ?? "none"}`, () => {
    assert.equal(chooseEntry(ENTRIES, selection)?.size, size);
  });
}

Deno.test("chooseEntry() finds nothing in an index of attestations", () => {
  assert.equal(chooseEntry([ENTRIES[0], ENTRIES[6]].flatMap((one) => one ?? []), {}), undefined);
});

for (
  const [selection, isMeant] of [
    [{}, true],
    [{ variant: "c3" }, true],
    [{ variant: "c6" }, false],
    [{ platform: "linux/arm" }, false],
    [{ variant: "c3", platform: "linux/arm" }, false],
    [{ file: "a" }, true],
  ] as readonly (readonly [Selection, boolean])[]
) {
  const verb = isMeant ? "is" : "is not";
  Deno.test(`A manifest that stands alone ${verb} meant by ${JSON.stringify(selection)}`, () => {
    const manifest: ImageManifest = {
      ...{ kind: "manifest", config: entry(0), layers: [] },
      annotations: { [VARIANT]: "c3" },
    };
    assert.equal(isForHardware(manifest, selection), isMeant);
  });
}

Deno.test("chooseLayer() takes the first layer, or the one of a title", () => {
  const titled = (size: number, title: string): Descriptor =>
    entry(size, { annotations: { [TITLE_ANNOTATION]: title } });
  const layers = [entry(1), titled(2, "app.bin"), titled(3, "boot.bin"), titled(4, "app.bin")];
  assert.equal(chooseLayer(layers, {})?.size, 1);
  assert.equal(chooseLayer(layers, { file: "boot.bin" })?.size, 3);
  assert.equal(chooseLayer(layers, { file: "app.bin" })?.size, 2);
  assert.equal(chooseLayer(layers, { file: "App.bin" }), undefined);
  assert.equal(chooseLayer([], {}), undefined);
  assert.deepEqual(fileTitles(layers), ["app.bin", "boot.bin"]);
});

Deno.test("fileTitles() keeps a bounded number of bounded titles", () => {
  const titles = ["x".repeat(257), ...Array.from({ length: 30 }, (_, at) => `${at}.bin`)];
  const layers = titles.map((title) => entry(1, { annotations: { [TITLE_ANNOTATION]: title } }));
  assert.deepEqual(fileTitles(layers), titles.slice(1, 17));
});
