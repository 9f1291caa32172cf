import assert from "node:assert/strict";
import fc from "fast-check";
import { prerelease as prereleaseOf, satisfies } from "semver";
import { chooseVersions, unmatched } from "../../src/firmware/selection.ts";
import { rankVersions } from "../../src/firmware/version.ts";
import { readConstraint, type Selection } from "../../src/selection.ts";

const number = fc.integer({ min: 0, max: 3 });
const versions = fc.tuple(
  ...[number, number, number],
  fc.constantFrom("", "", "-beta.1", "-beta.2", "-rc.1", "-beta", "-1.beta"),
  fc.constantFrom("", "", "_7"),
).map(([major, minor, patch, pre, build]) => `${major}.${minor}.${patch}${pre}${build}`);
const constraints = fc.tuple(
  fc.constantFrom("^", "~", ">=", "<", "<=", ">", ""),
  fc.constantFrom("1", "1.2", "0.1", "2.0.0", "1.1.1-beta.1", "*", "1.x"),
  fc.constantFrom("", " <3", " || ^3", " || 0.0.1"),
).map((parts) => readConstraint(parts.join("")) ?? "*");
const selections: fc.Arbitrary<Selection> = fc.record({
  constraint: constraints,
  prerelease: fc.boolean(),
  channel: fc.constantFrom("beta", "rc", "1", "alpha"),
}, { requiredKeys: [] });

/** One rule after the other, each as its documentation says it. */
function isMeant(version: string, { constraint, prerelease, channel }: Selection): boolean {
  const identifiers = prereleaseOf(version);
  if (prerelease === false && identifiers !== null) return false;
  if (channel !== undefined && identifiers !== null && `${identifiers[0]}` !== channel) {
    return false;
  }
  if (constraint === undefined) return true;
  const includePrerelease = prerelease === true || channel !== undefined;
  return satisfies(version, constraint, { includePrerelease });
}

Deno.test("chooseVersions() chooses as a list of rules over node-semver does", () => {
  fc.assert(
    fc.property(fc.array(versions, { maxLength: 20 }), selections, (tags, selection) => {
      const ranked = rankVersions(tags);
      const wanted = ranked.filter(({ version }) => isMeant(version, selection));
      assert.deepEqual(chooseVersions(ranked, selection), wanted);
    }),
    { numRuns: 500 },
  );
});

const TAGS = rankVersions([
  ...["v1.2.0", "1.2.0_7", "1.3.0-rc.1", "1.3.0-beta.2", "1.3.0-beta.10", "2.0.0-beta.1"],
]);

for (
  const [selection, ...wanted] of [
    [{}, "2.0.0-beta.1", "1.3.0-rc.1", "1.3.0-beta.10", "1.3.0-beta.2", "1.2.0", "1.2.0+7"],
    [{ version: "1.2.0" }, "1.2.0"],
    [{ version: "1.2.0+7" }, "1.2.0+7"],
    [{ version: "1.2.1" }],
    [{ prerelease: false }, "1.2.0", "1.2.0+7"],
    [{ channel: "beta" }, "2.0.0-beta.1", "1.3.0-beta.10", "1.3.0-beta.2", "1.2.0", "1.2.0+7"],
    [{ channel: "beta", prerelease: false }, "1.2.0", "1.2.0+7"],
    [{ channel: "beta", constraint: "<2" }, "1.3.0-beta.10", "1.3.0-beta.2", "1.2.0", "1.2.0+7"],
    [{ constraint: "^1.2" }, "1.2.0", "1.2.0+7"],
    [{ constraint: "^1.2", prerelease: true }, ...[
      ...["1.3.0-rc.1", "1.3.0-beta.10", "1.3.0-beta.2", "1.2.0", "1.2.0+7"],
    ]],
    [{ constraint: "^1.3.0-rc" }, "1.3.0-rc.1"],
    [{ constraint: "^1.3.0-rc", prerelease: false }],
    [{ constraint: "^3" }],
  ] as readonly (readonly [Selection, ...string[]])[]
) {
  Deno.test(`chooseVersions() of ${JSON.stringify(selection)}`, () => {
    assert.deepEqual(chooseVersions(TAGS, selection).map(({ version }) => version), wanted);
  });
}

Deno.test("unmatched() says what was asked for", () => {
  const selection = { constraint: "^3", channel: undefined, prerelease: false };
  const error = unmatched({ device: "esp32", selection }, "none");
  assert.equal(error.code, "selection-unmatched");
  assert.equal(
    error.message,
    "No firmware for device 'esp32' matches constraint '^3' and prerelease 'false'",
  );
});
