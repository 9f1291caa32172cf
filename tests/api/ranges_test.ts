import assert from "node:assert/strict";
import fc from "fast-check";
import { contentRange, parseRanges, RANGES_LIMIT } from "../../src/api/ranges.ts";

/** One range as a client means it; without `last` to the end. */
type Spec =
  | { readonly first: number; readonly last: number | undefined }
  | { readonly suffix: number };

const position = fc.nat({ max: 40 });
const spec: fc.Arbitrary<Spec> = fc.oneof(
  fc.record({ first: position, last: fc.option(position, { nil: undefined }) }),
  fc.record({ suffix: position }),
);
/** What lists and numbers may be adorned with (RFC 9110, 5.6.1.2 and 14.1.1). */
const blank = fc.constantFrom("", " ", "\t", " , ", ",,");
const zeros = fc.constantFrom("", "0", "00");

function write(spec: Spec, zeros: string): string {
  if ("suffix" in spec) return `-${zeros}${spec.suffix}`;
  return `${zeros}${spec.first}-${spec.last === undefined ? "" : zeros + spec.last}`;
}

/** The bytes of one range, looked for one by one; undefined where the range makes no sense. */
function bytesOf(spec: Spec, size: number): number[] | undefined {
  const all = Array.from({ length: size }, (_, index) => index);
  if ("suffix" in spec) return all.filter((index) => index >= size - spec.suffix);
  const { first, last = Infinity } = spec;
  return last < first ? undefined : all.filter((index) => index >= first && index <= last);
}

function model(specs: readonly Spec[], size: number): "all" | "unsatisfiable" | number[][] {
  const parts = specs.map((spec) => bytesOf(spec, size));
  if (parts.includes(undefined)) return "all";
  const satisfied = parts.filter((part) => part !== undefined && part.length > 0) as number[][];
  if (satisfied.length === 0) return "unsatisfiable";
  return satisfied.flat().length > size ? "all" : satisfied;
}

Deno.test("parseRanges() finds the very bytes that a model finds one by one", () => {
  const adorned = fc.array(fc.tuple(spec, blank, zeros), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(adorned, fc.integer({ min: 1, max: 30 }), (adorned, size) => {
      const field = "bytes=" +
        adorned.map(([spec, blank, zeros]) => `${blank}${write(spec, zeros)}${blank}`).join(",");
      const found = parseRanges(field, size);
      const bytes = typeof found === "string"
        ? found
        : found.map(({ start, end }) =>
          Array.from({ length: end - start }, (_, index) => start + index)
        );
      assert.deepEqual(bytes, model(adorned.map(([spec]) => spec), size));
    }),
    { numRuns: 3000 },
  );
});

Deno.test("parseRanges() takes any text, and never leaves the bytes that there are", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom(..."0123456789-, \t") }).map((set) => `bytes=${set}`),
  );
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 1000 }), (field, size) => {
      const found = parseRanges(field, size);
      if (typeof found === "string") return;
      assert.ok(found.length > 0 && found.length <= RANGES_LIMIT);
      for (const { start, end } of found) assert.ok(0 <= start && start < end && end <= size);
    }),
    { numRuns: 2000 },
  );
});

for (
  const [field, size, wanted] of [
    // What ESP-IDF sends to resume at nothing, and for its last piece.
    ["bytes=0-", 10, [[0, 10]]],
    ["bytes=5-10", 10, [[5, 10]]],
    ["bytes=9-", 10, [[9, 10]]],
    ["bytes=10-", 10, "unsatisfiable"],
    ["bytes=10-20", 10, "unsatisfiable"],
    ["bytes=-0", 10, "unsatisfiable"],
    ["bytes=-0,0-0", 10, [[0, 1]]],
    ["bytes=-100", 10, [[0, 10]]],
    ["BYTES=0-0", 10, [[0, 1]]],
    // More digits than a number has.
    [`bytes=0-${"9".repeat(400)}`, 10, [[0, 10]]],
    [`bytes=${"9".repeat(400)}-`, 10, "unsatisfiable"],
    ["bytes=9007199254740993-9007199254740992", 10, "all"],
    ["bytes=-99999999999999999999", 10, [[0, 10]]],
    ["bytes=5-4", 10, "all"],
    ["bytes=0-0,5-4", 10, "all"],
    ["bytes=", 10, "all"],
    ["bytes=,", 10, "all"],
    ["bytes=-", 10, "all"],
    ["bytes=a-b", 10, "all"],
    ["bytes=0-1-2", 10, "all"],
    ["bytes= 0-1", 10, [[0, 2]]],
    ["bytes=0 -1", 10, "all"],
    ["bytes=+0-1", 10, "all"],
    ["bytes =0-1", 10, "all"],
    ["bytes 0-1", 10, "all"],
    ["items=0-1", 10, "all"],
    ["", 10, "all"],
    // Together more than there is.
    ["bytes=0-9,0-0", 10, "all"],
    ["bytes=0-4,5-9", 10, [[0, 5], [5, 10]]],
    // The order is the client's.
    ["bytes=7-8,1-2", 10, [[7, 9], [1, 3]]],
    [`bytes=0-${"0".repeat(9000)}`, 10, "all"],
  ] as const
) {
  Deno.test(`parseRanges() reads ${field.slice(0, 50)} of ${size} bytes`, () => {
    const found = parseRanges(field, size);
    const pairs = typeof found === "string" ? found : found.map(({ start, end }) => [start, end]);
    assert.deepEqual(pairs, wanted);
  });
}

Deno.test("parseRanges() answers 64 ranges, and to more of them all bytes", () => {
  const field = (count: number): string =>
    `bytes=${Array.from({ length: count }, (_, index) => `${index}-${index}`).join(",")}`;
  assert.equal(parseRanges(field(64), 1000).length, 64);
  assert.equal(parseRanges(field(65), 1000), "all");
});

Deno.test("contentRange() names the bytes by their first and last one", () => {
  assert.equal(contentRange({ start: 0, end: 4 }, 10), "bytes 0-3/10");
  assert.equal(contentRange(undefined, 10), "bytes */10");
});

Deno.test("parseRanges() takes no longer for what is made to be slow", () => {
  const start = performance.now();
  for (let round = 0; round < 100; round++) parseRanges(`bytes=1${" ".repeat(8180)}2`, 10);
  // A quadratic expression takes 50 ms each.
  assert.ok(performance.now() - start < 1000);
});
