import assert from "node:assert/strict";
import fc from "fast-check";
import { rankVersions } from "../../src/firmware/version.ts";

function versionsOf(tags: readonly string[]): readonly string[] {
  return rankVersions(tags).map(({ version }) => version);
}

/** Precedence by the book, on its own: https://semver.org/spec/v2.0.0.html#spec-item-11 */
function comparePrecedence(a: string, b: string): number {
  const [, coreA = "", preA] = /^v?([^-+_]+)(?:-([^+_]+))?/.exec(a) ?? [];
  const [, coreB = "", preB] = /^v?([^-+_]+)(?:-([^+_]+))?/.exec(b) ?? [];
  const core = compareLists(coreA.split("."), coreB.split("."));
  if (core !== 0) return core;
  if (preA === undefined || preB === undefined) {
    return Number(preA === undefined) - Number(preB === undefined);
  }
  return compareLists(preA.split("."), preB.split("."));
}

function compareLists(a: readonly string[], b: readonly string[]): number {
  for (const [at, left] of a.entries()) {
    const right = b[at];
    if (right === undefined) return 1;
    const order = compareIdentifiers(left, right);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareIdentifiers(a: string, b: string): number {
  const [isNumberA, isNumberB] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (isNumberA && isNumberB) return Number(a) - Number(b);
  if (isNumberA !== isNumberB) return isNumberA ? -1 : 1;
  return a === b ? 0 : a < b ? -1 : 1;
}

const numbers = fc.oneof(fc.nat(3), fc.nat(12)).map(String);
const words = fc.constantFrom("alpha", "beta", "rc", "RC", "x-1", "0a", "-");
const identifiers = fc.array(fc.oneof(numbers, words), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.join("."));
const versionTags = fc.tuple(
  fc.constantFrom("", "v"),
  fc.tuple(numbers, numbers, numbers).map((parts) => parts.join(".")),
  fc.option(identifiers.map((text) => `-${text}`), { nil: "" }),
  fc.option(identifiers.map((text) => `_${text}`), { nil: "" }),
).map((parts) => parts.join(""));
const otherTags = fc.constantFrom("latest", "main", "1.2", "01.2.3", "v", "1.2.3_", "sha-1a2b3c");

for (
  const [what, tags, newest] of [
    ["numbers as numbers", ["1.9.0", "1.10.0", "1.2.0"], "1.10.0"],
    ["a leading v", ["v2.0.0", "1.9.9"], "2.0.0"],
    ["a release above its pre-releases", ["2.0.0-rc.9", "2.0.0", "2.0.0-rc.10"], "2.0.0"],
    ["a pre-release above an older release", ["1.9.9", "2.0.0-alpha"], "2.0.0-alpha"],
    ["numbers below words in pre-releases", ["1.0.0-alpha.1", "1.0.0-alpha.beta"], [
      "1.0.0-alpha.beta",
      "1.0.0-alpha.1",
    ]],
    ["longer pre-releases above their beginning", ["1.0.0-alpha", "1.0.0-alpha.1"], [
      "1.0.0-alpha.1",
      "1.0.0-alpha",
    ]],
    ["an underscore as the plus of build metadata", ["1.2.0_build.7"], "1.2.0+build.7"],
    ["an underscore behind a pre-release, too", ["v1.2.0-rc.1_7"], "1.2.0-rc.1+7"],
    ["the higher build", ["1.2.0_build.9", "1.2.0_build.10"], "1.2.0+build.10"],
  ] as const
) {
  Deno.test(`rankVersions() takes ${what}`, () => {
    const expected = typeof newest === "string" ? [newest] : newest;
    assert.deepEqual(versionsOf(tags).slice(0, expected.length), expected);
    assert.deepEqual(versionsOf(tags.toReversed()).slice(0, expected.length), expected);
  });
}

for (
  const tag of [
    "latest",
    "main",
    `sha256-${"0".repeat(64)}.sig`,
    `sha256-${"1".repeat(64)}`,
    "01.2.3",
    "1.02.3",
    "1.2.3-01",
    "1.2",
    "1",
    "1.2.3.4",
    "1.2.x",
    "V1.2.3",
    "vv1.2.3",
    "version-1.2.3",
    "1.2.3_a_b",
    "1.2.3-",
    "1.2.3_",
    "=1.2.3",
    " 1.2.3",
    "",
    "99999999999999999999.0.0",
  ]
) {
  Deno.test(`rankVersions() leaves out ${JSON.stringify(tag)}`, () => {
    assert.deepEqual(rankVersions([tag, "0.0.1"]), [{ tag: "0.0.1", version: "0.0.1" }]);
  });
}

Deno.test("rankVersions() is empty where no tag is a version", () => {
  assert.deepEqual(rankVersions([]), []);
  assert.deepEqual(rankVersions(["latest"]), []);
});

Deno.test("rankVersions() keeps the tag as the registry has it", () => {
  assert.deepEqual(rankVersions(["v1.2.0-rc.1_build.7"]), [
    { tag: "v1.2.0-rc.1_build.7", version: "1.2.0-rc.1+build.7" },
  ]);
});

Deno.test("rankVersions() ranks equal precedence by build, then without v, in any order", () => {
  const ranked = [
    "1.2.0",
    "v1.2.0",
    "1.2.0_build.8",
    "1.2.0_build.7",
    "v1.2.0_build.7",
    "1.2.0_7",
    "1.2.0_007",
    "v1.2.0_7",
  ];
  fc.assert(
    fc.property(fc.shuffledSubarray(ranked, { minLength: ranked.length }), (shuffled) => {
      assert.deepEqual(rankVersions(shuffled).map(({ tag }) => tag), ranked);
    }),
  );
});

Deno.test("rankVersions() has one answer for a set of tags, whatever their order", () => {
  const shuffles = fc.uniqueArray(fc.oneof(versionTags, otherTags), { maxLength: 12 })
    .chain((tags) =>
      fc.tuple(fc.constant(tags), fc.shuffledSubarray(tags, { minLength: tags.length }))
    );
  fc.assert(
    fc.property(shuffles, ([tags, shuffled]) => {
      assert.deepEqual(rankVersions(shuffled), rankVersions(tags));
    }),
    { numRuns: 500 },
  );
});

Deno.test("rankVersions() agrees with an independent reading of semver's precedence", () => {
  fc.assert(
    fc.property(fc.uniqueArray(versionTags, { minLength: 2, maxLength: 12 }), (tags) => {
      const ranked = rankVersions(tags);
      assert.equal(ranked.length, tags.length);
      for (const [at, { tag }] of ranked.slice(1).entries()) {
        const better = ranked[at]?.tag ?? "";
        assert(comparePrecedence(better, tag) >= 0, `${better} stands above ${tag}`);
      }
    }),
    { numRuns: 1000 },
  );
});
