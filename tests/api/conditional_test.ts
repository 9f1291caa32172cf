import assert from "node:assert/strict";
import fc from "fast-check";
import { evaluateConditions, isRangeWanted, type Outcome } from "../../src/api/conditional.ts";

const ETAG = `"now"`;
const MODIFIED = new Date("2026-01-02T03:04:05Z");
const current = { etag: ETAG, lastModified: MODIFIED };

/** A condition on tags, and how it is written. */
type TagCondition = "*" | readonly { readonly isWeak: boolean; readonly isCurrent: boolean }[];

/** Seconds between what a date condition says and the last modification; text is no date. */
type DateCondition = number | "nonsense";

interface Conditions {
  readonly ifMatch: TagCondition | undefined;
  readonly ifUnmodifiedSince: DateCondition | undefined;
  readonly ifNoneMatch: TagCondition | undefined;
  readonly ifModifiedSince: DateCondition | undefined;
}

const tagCondition = fc.option(
  fc.oneof(
    fc.constant("*" as const),
    fc.array(fc.record({ isWeak: fc.boolean(), isCurrent: fc.boolean() }), { maxLength: 3 }),
  ),
  { nil: undefined },
);
const dateCondition = fc.option(
  fc.oneof(fc.constantFrom(-1, 0, 1, -86_400, 86_400), fc.constant("nonsense" as const)),
  { nil: undefined },
);

function headersOf(conditions: Conditions): Headers {
  const headers = new Headers();
  const tags = (condition: TagCondition): string =>
    condition === "*"
      ? "*"
      : condition.map(({ isWeak, isCurrent }, index) =>
        `${isWeak ? "W/" : ""}${isCurrent ? ETAG : `"other${index}"`}`
      ).join(", ");
  const date = (condition: DateCondition): string =>
    condition === "nonsense"
      ? "yesterday"
      : new Date(MODIFIED.getTime() + condition * 1000).toUTCString();
  const { ifMatch, ifUnmodifiedSince, ifNoneMatch, ifModifiedSince } = conditions;
  if (ifMatch !== undefined) headers.set("if-match", tags(ifMatch));
  if (ifNoneMatch !== undefined) headers.set("if-none-match", tags(ifNoneMatch));
  if (ifUnmodifiedSince !== undefined) headers.set("if-unmodified-since", date(ifUnmodifiedSince));
  if (ifModifiedSince !== undefined) headers.set("if-modified-since", date(ifModifiedSince));
  return headers;
}

/** RFC 9110, 13.2.2, step by step, for GET on what exists. */
function model(conditions: Conditions): Outcome {
  const { ifMatch, ifUnmodifiedSince, ifNoneMatch, ifModifiedSince } = conditions;
  const isDate = (condition: DateCondition | undefined): condition is number =>
    typeof condition === "number";
  // Step 1
  if (ifMatch !== undefined) {
    const isTrue = ifMatch === "*" || ifMatch.some((tag) => tag.isCurrent && !tag.isWeak);
    if (!isTrue) return "precondition-failed";
  }
  // Step 2
  if (ifMatch === undefined && isDate(ifUnmodifiedSince)) {
    const isTrue = ifUnmodifiedSince >= 0;
    if (!isTrue) return "precondition-failed";
  }
  // Step 3
  if (ifNoneMatch !== undefined) {
    const isTrue = ifNoneMatch !== "*" && !ifNoneMatch.some((tag) => tag.isCurrent);
    return isTrue ? "proceed" : "not-modified";
  }
  // Step 4
  if (isDate(ifModifiedSince)) {
    const isTrue = ifModifiedSince < 0;
    if (!isTrue) return "not-modified";
  }
  return "proceed";
}

Deno.test("evaluateConditions() does as RFC 9110 says, step by step", () => {
  const conditions = fc.record({
    ifMatch: tagCondition,
    ifUnmodifiedSince: dateCondition,
    ifNoneMatch: tagCondition,
    ifModifiedSince: dateCondition,
  });
  fc.assert(
    fc.property(conditions, (conditions) => {
      assert.equal(evaluateConditions(headersOf(conditions), current), model(conditions));
    }),
    { numRuns: 2000 },
  );
});

for (
  const [name, value, outcome] of [
    ["if-match", "now", "precondition-failed"],
    ["if-match", `W/"now"`, "precondition-failed"],
    ["if-match", ` * `, "proceed"],
    ["if-none-match", "now", "proceed"],
    ["if-none-match", `"x", W/"now"`, "not-modified"],
    ["if-none-match", "*", "not-modified"],
    ["if-modified-since", "Fri, 02 Jan 2026 03:04:05 GMT", "not-modified"],
    ["if-modified-since", "Fri, 02 Jan 2026 03:04:04 GMT", "proceed"],
    ["if-unmodified-since", "Fri, 02 Jan 2026 03:04:05 GMT", "proceed"],
    ["if-unmodified-since", "Fri, 02 Jan 2026 03:04:04 GMT", "precondition-failed"],
  ] as const
) {
  Deno.test(`evaluateConditions() with ${name}: ${value} says ${outcome}`, () => {
    assert.equal(evaluateConditions(new Headers({ [name]: value }), current), outcome);
  });
}

const NOW = Date.UTC(2026, 1, 1);

for (
  const [what, since, lastModified, outcome] of [
    ["a later date, as a device notes it itself", "Sat, 31 Jan 2026 00:00:00 GMT", MODIFIED, true],
    ["local time for GMT", "Sun, 01 Feb 2026 14:00:00 GMT", MODIFIED, true],
    [
      "a date that a clock which was wrong has told",
      "Sun, 01 Jan 2040 00:00:00 GMT",
      MODIFIED,
      false,
    ],
    [
      "the very date, which a clock that was wrong has told",
      "Sun, 01 Jan 2040 00:00:00 GMT",
      new Date("2040-01-01T00:00:00Z"),
      true,
    ],
    ["any date, where none is known", "Sat, 31 Jan 2026 00:00:00 GMT", undefined, false],
  ] as const
) {
  Deno.test(`evaluateConditions() ${outcome ? "holds to" : "passes over"} ${what}`, () => {
    const headers = new Headers({ "if-modified-since": since });
    const actual = evaluateConditions(headers, { etag: ETAG, lastModified }, NOW);
    assert.equal(actual, outcome ? "not-modified" : "proceed");
  });
}

Deno.test("evaluateConditions() passes over If-Unmodified-Since where no date is known", () => {
  const headers = new Headers({ "if-unmodified-since": "Thu, 01 Jan 1970 00:00:00 GMT" });
  assert.equal(
    evaluateConditions(headers, { etag: ETAG, lastModified: undefined }, NOW),
    "proceed",
  );
});

for (
  const [value, isWanted] of [
    [undefined, true],
    [`"now"`, true],
    [`W/"now"`, false],
    [`"other"`, false],
    [`"now", "other"`, false],
    ["*", false],
    ["now", false],
    ["", false],
    // The very date of the firmware: two builds may claim the same.
    ["Fri, 02 Jan 2026 03:04:05 GMT", false],
  ] as const
) {
  Deno.test(`isRangeWanted() with If-Range: ${value} is ${isWanted}`, () => {
    const headers = new Headers(value === undefined ? {} : { "if-range": value });
    assert.equal(isRangeWanted(headers, current), isWanted);
  });
}
