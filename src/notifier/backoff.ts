/**
 * How long to wait before the broker is tried again.
 *
 * @module
 */

/** The pause after the first failure, in milliseconds; each further one is twice as long. */
const FIRST_PAUSE_MS = 100;

/** No pause is longer, in milliseconds. */
const LONGEST_PAUSE_MS = 30_000;

/**
 * Exponential, with jitter, so that replicas that lost the same broker do not come back together.
 *
 * @param failures How often it failed in a row, at least 1.
 * @param random A number from 0 up to 1.
 * @returns Milliseconds: between half of the full pause and all of it.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(reconnectPauseMs(1, 0), 50);
 * assert.equal(reconnectPauseMs(3, 0.5), 300);
 * assert.equal(reconnectPauseMs(1000, 0), 15_000);
 * ```
 */
export function reconnectPauseMs(failures: number, random: number): number {
  const full = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 30), LONGEST_PAUSE_MS);
  return full * (0.5 + random / 2);
}
