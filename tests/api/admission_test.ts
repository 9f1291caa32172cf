import assert from "node:assert/strict";
import fc from "fast-check";
import { Admission } from "../../src/api/admission.ts";
import { ServiceError } from "../../src/errors.ts";
import { CapturedLogs } from "../helpers/logs.ts";

/** A door with a clock and a chance of its own. */
class Bench {
  now = 0;
  random = 0;
  refused = 0;
  readonly #admission: Admission;

  constructor(limit: number) {
    this.#admission = new Admission({
      limit,
      onRefusal: () => this.refused++,
      now: () => this.now,
      random: () => this.random,
    });
  }

  enter(count = 1): void {
    for (let i = 0; i < count; i++) this.#admission.enter();
  }

  leave(): void {
    this.#admission.leave();
  }

  /** Sends one away, and tells after how many seconds it is to come back. */
  sendAway(random = this.random): number {
    this.random = random;
    try {
      this.#admission.enter();
    } catch (error) {
      assert(error instanceof ServiceError && error.code === "downloads-full");
      assert(error.retryAfterSeconds !== undefined);
      return error.retryAfterSeconds;
    }
    assert.fail("It was let in");
  }
}

/** Chance at its greatest: shows for how long a client may be sent away. */
const MOST = 1 - Number.EPSILON;

Deno.test("Admission lets as many in as the limit says, and one more for each that leaves", () => {
  const bench = new Bench(3);
  bench.enter(3);
  bench.sendAway();
  bench.leave();
  bench.enter();
  bench.sendAway();
  assert.equal(bench.refused, 2);
});

Deno.test("Admission takes a download for half a minute as long as none has ended", () => {
  const bench = new Bench(10);
  bench.enter(10);
  // A place becomes free every 3 s: that is the turn of the first one who waits, 6 s of the second.
  assert.equal(bench.sendAway(MOST), 3);
  assert.equal(bench.sendAway(MOST), 6);
  // None has ended in two minutes: they take at least two.
  bench.now = 120_000;
  assert.equal(bench.sendAway(MOST), 12);
});

Deno.test("Admission estimates the queue by how fast downloads end while all places are taken", () => {
  const bench = new Bench(2);
  bench.enter(2);
  // Two a second for ten seconds.
  for (let i = 0; i < 20; i++) {
    bench.now += 500;
    bench.leave();
    // The place is free for long: nobody waits meanwhile, so it says nothing.
    bench.now += 10_000;
    bench.enter();
  }
  for (const seconds of [1, 1, 2, 2, 3, 3]) assert.equal(bench.sendAway(MOST), seconds);
});

Deno.test("Admission learns nothing from downloads that end while there are places", () => {
  const bench = new Bench(2);
  for (let i = 0; i < 50; i++) {
    bench.enter();
    bench.now += 10;
    bench.leave();
  }
  bench.enter(2);
  bench.now += 1000;
  assert.equal(bench.sendAway(MOST), 15);
});

Deno.test("Admission notices that downloads have become slow", () => {
  const bench = new Bench(2);
  bench.enter(2);
  for (let i = 0; i < 500; i++) {
    bench.now += 10;
    bench.leave();
    bench.enter();
  }
  assert.equal(bench.sendAway(MOST), 1);
  bench.now += 990_000;
  // The last 99 ends took 991 s.
  assert.equal(bench.sendAway(MOST), 11);
});

Deno.test("Admission counts those who were sent away until they are to come back", () => {
  const bench = new Bench(1);
  bench.enter();
  assert.deepEqual([1, 2, 3].map(() => bench.sendAway(MOST)), [30, 60, 90]);
  bench.now = 60_000;
  // Two were due; a place was not free for a minute, so each waits for a minute.
  assert.equal(bench.sendAway(MOST), 120);
});

Deno.test("Admission spreads clients over the whole time, a second at least and an hour at most", () => {
  const bench = new Bench(1);
  bench.enter();
  for (let i = 0; i < 1000; i++) bench.sendAway(MOST);
  assert.equal(bench.sendAway(0), 1);
  assert.equal(bench.sendAway(0.5), 1801);
  assert.equal(bench.sendAway(MOST), 3600);
});

Deno.test("Admission logs once that the limit is reached, not for each that is sent away", () => {
  using logs = new CapturedLogs();
  const bench = new Bench(1);
  bench.enter();
  for (let i = 0; i < 10; i++) bench.sendAway(0.5);
  assert.deepEqual(logs.messages("warn"), ["Downloads are at their limit, others are sent away"]);
});

Deno.test("Admission never lets in more than the limit, whatever comes when", () => {
  const steps = fc.array(
    fc.tuple(fc.boolean(), fc.nat(100_000), fc.double({ min: 0, max: MOST, noNaN: true })),
  );
  fc.assert(fc.property(fc.integer({ min: 1, max: 5 }), steps, (limit, steps) => {
    const bench = new Bench(limit);
    let inside = 0;
    for (const [isEntry, ms, random] of steps) {
      bench.now += ms;
      if (!isEntry) {
        if (inside === 0) continue;
        bench.leave();
        inside--;
      } else if (inside < limit) {
        bench.enter();
        inside++;
      } else {
        const seconds = bench.sendAway(random);
        assert(Number.isInteger(seconds) && seconds >= 1 && seconds <= 3600, `${seconds}`);
      }
    }
  }));
});
