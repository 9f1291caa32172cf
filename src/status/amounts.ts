/**
 * Amounts as people read them.
 *
 * @module
 */

const UNITS = ["KiB", "MiB", "GiB", "TiB"] as const;

/**
 * A number of bytes, in the unit that leaves the fewest digits.
 *
 * @param bytes How many.
 * @returns Three digits, or four below the next unit.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual([1, 314_159, 64 * 1024 ** 2].map(bytesInWords), ["1 B", "307 KiB", "64.0 MiB"]);
 * ```
 */
export function bytesInWords(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  let amount = bytes;
  let unit: string = UNITS[0];
  for (unit of UNITS) {
    amount /= 1024;
    // What would be rounded up to 1024 belongs to the next unit.
    if (amount < 1023.5) break;
  }
  return `${amount.toFixed(amount < 9.995 ? 2 : amount < 99.95 ? 1 : 0)} ${unit}`;
}

/**
 * A duration, in the largest unit of which there is one at least.
 *
 * @param ms Milliseconds.
 * @returns A whole number and its unit.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual([400, 90_000, 7_200_000].map(durationInWords), ["0 s", "1 min", "2 h"]);
 * ```
 */
export function durationInWords(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} days`;
}

/**
 * A number with the noun that it counts.
 *
 * @param count How many.
 * @param noun The noun in the singular; its plural ends in `s`.
 * @returns For example `1 device` or `12,000 devices`.
 */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
