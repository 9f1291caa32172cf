/**
 * Which bytes a request wants.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-14
 * @module
 */

import type { ByteRange } from "../firmware/firmware.ts";

/** So many ranges are answered; who wants more gets all. */
export const RANGES_LIMIT = 64;

/** A longer field is not read: 64 ranges of a large file take a quarter of it. */
const FIELD_LIMIT = 8192;

/**
 * What a `Range` field asks for: all, as if there was none; nothing that is there; or these parts.
 */
export type RangeRequest = "all" | "unsatisfiable" | readonly ByteRange[];

/** `<first>-<last>`, `<first>-` or `-<length of the end>`, in linear time. */
const RANGE_SPEC = /^[ \t]*(?:(\d+)-(\d*)|-(\d+))[ \t]*$/;

/**
 * Reads a `Range` field. Ends behind the last byte are moved to it: ESP-IDF asks for one byte too
 * many in its last request. What is no valid field is ignored, as is one that asks for more ranges
 * than {@linkcode RANGES_LIMIT} or, together, for more bytes than there are.
 *
 * @param field The field's value.
 * @param size How many bytes there are, at least 1.
 * @returns The parts that are there, in the order in which they were asked for.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(parseRanges("bytes=0-", 10), [{ start: 0, end: 10 }]);
 * assert.deepEqual(parseRanges("bytes=8-10", 10), [{ start: 8, end: 10 }]);
 * assert.deepEqual(parseRanges("bytes=-3", 10), [{ start: 7, end: 10 }]);
 * assert.equal(parseRanges("bytes=10-", 10), "unsatisfiable");
 * assert.equal(parseRanges("pages=1-2", 10), "all");
 * ```
 */
export function parseRanges(field: string, size: number): RangeRequest {
  const [, set] = field.length > FIELD_LIMIT ? [] : /^bytes=(.*)$/i.exec(field) ?? [];
  if (set === undefined) return "all";
  // RFC 9110, 5.6.1.2: empty members of a list are passed over.
  const specs = set.split(",").filter((spec) => !/^[ \t]*$/.test(spec));
  if (specs.length === 0 || specs.length > RANGES_LIMIT) return "all";
  const ranges: ByteRange[] = [];
  for (const spec of specs) {
    const range = parseSpec(spec, size);
    // One that is invalid makes all of it invalid (14.1.1).
    if (range === "invalid") return "all";
    if (range !== "unsatisfiable") ranges.push(range);
  }
  if (ranges.length === 0) return "unsatisfiable";
  return lengthOf(ranges) > size ? "all" : ranges;
}

/**
 * The value of a `Content-Range` field.
 *
 * @param range The part that is answered; none where nothing can be.
 * @param size How many bytes there are.
 * @returns For example `bytes 0-3/10`, or an asterisk for the range.
 */
export function contentRange(range: ByteRange | undefined, size: number): string {
  return `bytes ${range === undefined ? "*" : `${range.start}-${range.end - 1}`}/${size}`;
}

function lengthOf(ranges: readonly ByteRange[]): number {
  return ranges.reduce((length, { start, end }) => length + end - start, 0);
}

function parseSpec(spec: string, size: number): ByteRange | "invalid" | "unsatisfiable" {
  const match = RANGE_SPEC.exec(spec);
  if (match === null) return "invalid";
  const [, first, last = "", suffix] = match;
  if (suffix !== undefined) {
    const length = position(suffix);
    return length === 0n ? "unsatisfiable" : { start: size - atMost(length, size), end: size };
  }
  const start = position(first);
  if (last !== "" && position(last) < start) return "invalid";
  if (start >= size) return "unsatisfiable";
  return {
    start: Number(start),
    end: last === "" ? size : atMost(position(last) + 1n, size),
  };
}

/** Positions may have more digits than a number holds (14.1.2). */
function position(digits = ""): bigint {
  return BigInt(digits);
}

function atMost(value: bigint, limit: number): number {
  return value > limit ? limit : Number(value);
}
