import assert from "node:assert/strict";
import fc from "fast-check";
import { backoffMs, LONGEST_PAUSE_MS } from "../../src/firmware/backoff.ts";

Deno.test("backoffMs() doubles from a second to five minutes, and stays there", () => {
  const full = Array.from({ length: 12 }, (_, failures) => backoffMs(failures + 1, 1) / 1000);
  assert.deepEqual(full, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
  assert.equal(LONGEST_PAUSE_MS, 300_000);
});

Deno.test("backoffMs() lies between half of the pause and all of it, evenly", () => {
  for (const [random, ms] of [[0, 2000], [0.25, 2500], [0.5, 3000], [1, 4000]] as const) {
    assert.equal(backoffMs(3, random), ms);
  }
});

Deno.test("backoffMs() is a sensible number however often it failed", () => {
  const failures = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
  const random = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
  fc.assert(fc.property(failures, random, (failures, random) => {
    const ms = backoffMs(failures, random);
    assert(ms >= 500 && ms <= LONGEST_PAUSE_MS, `${ms}`);
  }));
});
