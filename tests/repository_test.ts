import assert from "node:assert/strict";
import fc from "fast-check";
import { ServiceError } from "../src/errors.ts";
import {
  deviceOf,
  isRepositoryName,
  REPOSITORY_NAME_MAX_LENGTH,
  repositoryOf,
} from "../src/repository.ts";

const words = fc.string({
  unit: fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz0123456789"),
  minLength: 1,
  maxLength: 6,
});
const separators = fc.constantFrom(".", "_", "__", "-", "--", "----");

/** Words with something between each two of them. */
function joined(parts: fc.Arbitrary<string>, between: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(parts, fc.array(fc.tuple(between, parts), { maxLength: 3 }))
    .map(([first, rest]) => first + rest.flat().join(""));
}

/** By the distribution-spec's grammar; all are short enough. */
const names = joined(joined(words, separators), fc.constant("/"));

Deno.test("isRepositoryName() takes every name of the grammar", () => {
  fc.assert(fc.property(names, (name) => assert.ok(isRepositoryName(name), name)));
});

Deno.test("isRepositoryName() refuses a name with something wrong in it", () => {
  const wrong = fc.oneof(
    fc.constantFrom(..."ABCXYZÄäß%:@?#\\ \t\n\r\0\x1b+~*!$&'(),;=[]{}|<>^`\"\u200b"),
    fc.constantFrom("..", "//", "/../", "./", "/.", "___", "._", "-.", "_-", "-/", "/_", "%2e"),
  );
  const place = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(fc.property(names, wrong, place, (name, bad, at) => {
    const index = Math.round(at * name.length);
    const spoilt = name.slice(0, index) + bad + name.slice(index);
    assert.ok(!isRepositoryName(spoilt), JSON.stringify(spoilt));
  }));
});

Deno.test("isRepositoryName() refuses separators at either end", () => {
  fc.assert(fc.property(names, fc.constantFrom("/", ".", "_", "-"), (name, separator) => {
    assert.ok(!isRepositoryName(separator + name));
    assert.ok(!isRepositoryName(name + separator));
  }));
});

Deno.test("isRepositoryName() takes names up to their greatest length, in any time", () => {
  assert.ok(isRepositoryName("a".repeat(REPOSITORY_NAME_MAX_LENGTH)));
  assert.ok(!isRepositoryName("a".repeat(REPOSITORY_NAME_MAX_LENGTH + 1)));
  assert.ok(!isRepositoryName(""));
  for (const hard of ["a-".repeat(127) + "!", "-".repeat(254) + "!", "a".repeat(10_000_000)]) {
    assert.ok(!isRepositoryName(hard));
  }
});

Deno.test("isRepositoryName() takes nothing else", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    if (isRepositoryName(text)) assert.match(text, /^[a-z0-9]([a-z0-9._/-]*[a-z0-9])?$/);
  }));
});

Deno.test("repositoryOf() puts the prefix in front", () => {
  assert.equal(repositoryOf("esp32", ""), "esp32");
  assert.equal(repositoryOf("esp32/a", "factory/b"), "factory/b/esp32/a");
});

Deno.test("repositoryOf() refuses a device that would leave its place, or make a name too long", async (t) => {
  const long = "a".repeat(250);
  const cases: readonly (readonly [device: string, prefix: string])[] = [
    ["", ""],
    ["", "factory"],
    ["/esp32", "factory"],
    ["../esp32", "factory"],
    ["..", "factory"],
    ["ESP32", ""],
    ["esp32:1.0.0", "factory"],
    [`esp32@sha256:${"0".repeat(64)}`, "factory"],
    ["esp32?x", ""],
    ["esp32\nset-cookie: a", ""],
    ["-esp32", "factory"],
    [long, "factory"],
    ["a".repeat(256), ""],
  ];
  for (const [device, prefix] of cases) {
    await t.step(JSON.stringify(device.slice(0, 30)), () => {
      assert.throws(() => repositoryOf(device, prefix), (error) => {
        assert.ok(error instanceof ServiceError);
        assert.equal(error.code, "device-invalid");
        assert.doesNotMatch(error.message, /\p{Cc}/u);
        assert.ok(error.message.length < 200, "it must fit a small buffer");
        return true;
      });
    });
  }
});

for (
  const [repository, prefix, device] of [
    ["factory/pump", "factory", "pump"],
    ["factory/garden/pump", "factory", "garden/pump"],
    ["a/b/pump", "a/b", "pump"],
    ["pump", "", "pump"],
    ["garden/pump", "", "garden/pump"],
    ["factory", "factory", undefined],
    ["factory/", "factory", undefined],
    ["factory2/pump", "factory", undefined],
    ["office/pump", "factory", undefined],
    ["Factory/pump", "factory", undefined],
    ["factory/Pump", "factory", undefined],
    ["factory//pump", "factory", undefined],
    ["factory/../pump", "factory", undefined],
    ["../pump", "", undefined],
    ["", "", undefined],
    [`factory/${"a".repeat(256)}`, "factory", undefined],
  ] as const
) {
  Deno.test(`deviceOf() finds ${device ?? "no device"} in "${repository.slice(0, 20)}" below "${prefix}"`, () => {
    assert.equal(deviceOf(repository, prefix), device);
    if (device !== undefined) assert.equal(repositoryOf(device, prefix), repository);
  });
}
