import assert from "node:assert/strict";
import fc from "fast-check";
import {
  deviceOfKey,
  formatSelection,
  keyOf,
  parseSelection,
  partOf,
  queryOfKey,
  readChannel,
  readConstraint,
  readName,
  readPlatform,
  readVersion,
  type Selection,
  withDefaults,
} from "../src/selection.ts";

const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
const selections: fc.Arbitrary<Selection> = fc.record({
  version: text,
  constraint: text,
  prerelease: fc.boolean(),
  channel: text,
  variant: text,
  platform: text,
  file: text,
}, { requiredKeys: [], noNullPrototype: true });

Deno.test("A selection is read as it was written, and so is a key", () => {
  fc.assert(fc.property(selections, (selection) => {
    assert.deepEqual(parseSelection(formatSelection(selection)), selection);
    const query = { device: "garden/pump", selection };
    assert.deepEqual(queryOfKey(keyOf(query)), query);
    assert.equal(deviceOfKey(keyOf(query)), "garden/pump");
  }));
});

Deno.test("A selection is written in one way, whatever the order of its members", () => {
  fc.assert(fc.property(selections, (selection) => {
    const turned = Object.fromEntries(Object.entries(selection).reverse());
    assert.equal(formatSelection(turned), formatSelection(selection));
  }));
  assert.equal(keyOf({ device: "a", selection: { version: undefined } }), "a");
});

for (
  const [given, defaults, wanted] of [
    [{}, { constraint: "^1", prerelease: false }, { constraint: "^1", prerelease: false }],
    [{ constraint: "^2" }, { constraint: "^1" }, { constraint: "^2" }],
    [{ prerelease: true }, { prerelease: false }, { prerelease: true }],
    // Who names a channel wants its pre-releases.
    [{ channel: "beta" }, { constraint: "^1", prerelease: false }, {
      channel: "beta",
      constraint: "^1",
    }],
    [{ version: "2.0.0-rc.1" }, { constraint: "^1", prerelease: false }, { version: "2.0.0-rc.1" }],
    [{ file: "a" }, { constraint: "^1" }, { file: "a", constraint: "^1" }],
  ] as const
) {
  Deno.test(`withDefaults() makes ${JSON.stringify(wanted)} of ${JSON.stringify(given)}`, () => {
    assert.equal(formatSelection(withDefaults(given, defaults)), formatSelection(wanted));
  });
}

Deno.test("partOf() leaves out which version it is", () => {
  const part = { variant: "c3", platform: "linux/arm", file: "a" };
  const version = { version: "1.0.0", constraint: "^1", channel: "beta", prerelease: true };
  assert.deepEqual(partOf({ ...part, ...version }), part);
});

/** What readers make of texts; undefined for what they refuse. */
const READ: readonly (readonly [(text: string) => string | undefined, string, string?])[] = [
  [readVersion, "1.2.3", "1.2.3"],
  [readVersion, "v1.2.3-rc.1", "1.2.3-rc.1"],
  [readVersion, "1.2.3_7", "1.2.3+7"],
  [readVersion, "1.2.3 7", "1.2.3+7"],
  [readVersion, "1.2"],
  [readVersion, "=1.2.3"],
  [readVersion, ""],
  [readVersion, `1.2.${"3".repeat(300)}`],
  [readConstraint, "^1.2", "^1.2"],
  [readConstraint, ">=1   <2 || ~3.1", ">=1 <2 || ~3.1"],
  [readConstraint, "*", "*"],
  [readConstraint, ""],
  [readConstraint, " "],
  [readConstraint, "latest"],
  [readConstraint, `^1${" || ^1".repeat(100)}`],
  [readChannel, "beta", "beta"],
  [readChannel, "rc-2", "rc-2"],
  [readChannel, "beta.1"],
  [readChannel, ""],
  [readPlatform, "linux/arm/v7", "linux/arm/v7"],
  [readPlatform, "none/esp32c3", "none/esp32c3"],
  [readPlatform, "linux"],
  [readPlatform, "linux/arm/v7/x"],
  [readPlatform, "linux/"],
  [readName, "Bootloader (C3) ä.bin", "Bootloader (C3) ä.bin"],
  [readName, ""],
  [readName, "a\nb"],
  [readName, "\ud800"],
  [readName, "x".repeat(257)],
];

for (const [read, given, wanted] of READ) {
  Deno.test(`${read.name}() makes ${wanted ?? "nothing"} of "${given.slice(0, 20)}"`, () => {
    assert.equal(read(given), wanted);
  });
}
