/**
 * How long to leave something alone that fails.
 *
 * @module
 */

/** The pause after the first failure, in milliseconds; each further one is twice as long. */
const FIRST_PAUSE_MS = 1000;

/** No pause is longer, in milliseconds: what was mended is noticed within five minutes. */
export const LONGEST_PAUSE_MS = 5 * 60 * 1000;

/**
 * Exponential, with jitter, so that many who failed together do not come back together.
 *
 * @param failures How often it failed in a row, at least 1.
 * @param random A number from 0 up to 1.
 * @returns Milliseconds: between half of the full pause and all of it.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(backoffMs(1, 0), 500);
 * assert.equal(backoffMs(3, 0.5), 3000);
 * assert.equal(backoffMs(1000, 0.999_999) <= 300_000, true);
 * ```
 */
export function backoffMs(failures: number, random: number): number {
  // The exponent is bounded, too: two to the power of a thousand is no number of milliseconds.
  const full = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 30), LONGEST_PAUSE_MS);
  return full * (0.5 + random / 2);
}
