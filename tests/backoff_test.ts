import assert from "node:assert/strict";
import fc from "fast-check";
import { backoffMs } from "../src/backoff.ts";

const BOUNDS = { firstMs: 1000, longestMs: 300_000 };

Deno.test("backoffMs() doubles from the first pause to the longest, and stays there", () => {
  const full = Array.from(
    { length: 12 },
    (_, failures) => backoffMs(failures + 1, 1, BOUNDS) / 1000,
  );
  assert.deepEqual(full, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
});

Deno.test("backoffMs() lies between half of the pause and all of it, evenly", () => {
  for (const [random, ms] of [[0, 2000], [0.25, 2500], [0.5, 3000], [1, 4000]] as const) {
    assert.equal(backoffMs(3, random, BOUNDS), ms);
  }
});

Deno.test("backoffMs() is a sensible number however often it failed", () => {
  const failures = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
  const random = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
  fc.assert(fc.property(failures, random, (failures, random) => {
    const ms = backoffMs(failures, random, BOUNDS);
    assert(ms >= 500 && ms <= BOUNDS.longestMs, `${ms}`);
  }));
});
