/**
 * How long to leave something alone that fails.
 *
 * @module
 */

/** Between which pauses. */
export interface PauseBounds {
  /** The pause after the first failure, in milliseconds; each further one is twice as long. */
  readonly firstMs: number;
  /** No pause is longer, in milliseconds. */
  readonly longestMs: number;
}

/**
 * Exponential, with jitter, so that many who failed together do not come back together.
 *
 * @param failures How often it failed in a row, at least 1.
 * @param random A number from 0 up to 1.
 * @param bounds Between which pauses.
 * @returns Milliseconds: between half of the full pause and all of it.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const bounds = { firstMs: 100, longestMs: 30_000 };
 * assert.equal(backoffMs(1, 0, bounds), 50);
 * assert.equal(backoffMs(3, 0.5, bounds), 300);
 * assert.equal(backoffMs(1000, 0, bounds), 15_000);
 * ```
 */
export function backoffMs(
  failures: number,
  random: number,
  { firstMs, longestMs }: PauseBounds,
): number {
  // The exponent is bounded, too: two to the power of a thousand is no number of milliseconds.
  const full = Math.min(firstMs * 2 ** Math.min(failures - 1, 30), longestMs);
  return full * (0.5 + random / 2);
}
