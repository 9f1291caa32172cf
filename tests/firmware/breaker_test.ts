import assert from "node:assert/strict";
import { CircuitBreaker } from "../../src/firmware/breaker.ts";
import { type ErrorCode, ServiceError } from "../../src/errors.ts";
import { Gate } from "../helpers/registry/gate.ts";

/** With a random of 0.5, which is three quarters of the full second. */
const FIRST_PAUSE_MS = 750;

const REFUSAL = {
  code: "source-unavailable",
  message: "Source of firmware cannot be reached at the moment",
};

/** A breaker by a clock that stands still, and what it told. */
class Bench {
  nowMs = 1000;
  random = 0.5;
  /** What was told: true, or the failure. */
  readonly told: unknown[] = [];
  readonly breaker = new CircuitBreaker({
    onChange: (isUp, failure) => this.told.push(isUp ? true : failure),
    now: () => this.nowMs,
    random: () => this.random,
  });

  /** Work that fails, done or not. */
  async fail(code: ErrorCode = "source-unavailable", retryAfterSeconds?: number): Promise<void> {
    const error = new ServiceError(code, "Away", { retryAfterSeconds });
    await assert.rejects(
      this.breaker.run(() => Promise.reject(error)),
      (thrown) => thrown === error,
    );
  }

  /** Work that succeeds. */
  work(): Promise<string> {
    return this.breaker.run(() => Promise.resolve("done"));
  }
}

Deno.test("CircuitBreaker.run() lets all work through while the source answers", async () => {
  const { breaker, told } = new Bench();
  const gate = new Gate();
  const work = Array.from({ length: 100 }, () => breaker.run(() => gate.pass()));
  await gate.arrived(100);
  gate.open();
  await Promise.all(work);
  assert.deepEqual([breaker.isUp, breaker.admits, told], [true, true, []]);
});

for (const code of ["source-unavailable", "source-timeout"] as const) {
  Deno.test(`CircuitBreaker.run() refuses work for a pause after ${code}`, async () => {
    const bench = new Bench();
    await bench.fail(code);
    assert.equal(bench.told.length, 1);
    bench.nowMs += FIRST_PAUSE_MS - 1;
    assert.deepEqual([bench.breaker.isUp, bench.breaker.admits], [false, false]);
    await assert.rejects(
      bench.breaker.run(() => assert.fail("it must not be done")),
      { ...REFUSAL, retryAfterSeconds: 1 },
    );
    bench.nowMs += 1;
    assert.equal(bench.breaker.admits, true);
    assert.equal(await bench.work(), "done");
    assert.deepEqual([bench.breaker.isUp, bench.told.length, bench.told[1]], [true, 2, true]);
  });
}

for (
  const code of [
    "firmware-unknown",
    "firmware-gone",
    "artifact-invalid",
    "signature-invalid",
    "source-refused",
    "source-invalid",
  ] as const
) {
  Deno.test(`CircuitBreaker.run() takes ${code} for an answer`, async () => {
    const bench = new Bench();
    await bench.fail(code);
    assert.deepEqual([bench.breaker.isUp, bench.told], [true, []]);
    await bench.fail();
    bench.nowMs += FIRST_PAUSE_MS;
    await bench.fail(code);
    assert.equal(bench.breaker.isUp, true);
  });
}

Deno.test("CircuitBreaker.run() learns nothing from what never asked the source", async () => {
  const bench = new Bench();
  await bench.fail();
  bench.nowMs += FIRST_PAUSE_MS;
  await bench.fail("device-invalid");
  await assert.rejects(bench.breaker.run(() => Promise.reject(new TypeError("bug"))), TypeError);
  assert.deepEqual([bench.breaker.isUp, bench.breaker.admits], [false, true]);
  assert.equal(bench.told.length, 1);
});

Deno.test("CircuitBreaker.run() pauses twice as long each time, up to five minutes", async () => {
  const bench = new Bench();
  bench.random = 1;
  const pauses: number[] = [];
  for (let failure = 0; failure < 11; failure++) {
    await bench.fail();
    let seconds = 0;
    for (; !bench.breaker.admits; seconds++) bench.nowMs += 1000;
    pauses.push(seconds);
  }
  assert.deepEqual(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  assert.equal(bench.told.length, 1, "it is told once that the source is away");
});

Deno.test("CircuitBreaker.run() begins with a short pause again once the source has answered", async () => {
  const bench = new Bench();
  for (let failure = 0; failure < 5; failure++) {
    await bench.fail();
    bench.nowMs += 300_000;
  }
  await bench.work();
  await bench.fail();
  bench.nowMs += FIRST_PAUSE_MS;
  assert.equal(bench.breaker.admits, true);
});

Deno.test("CircuitBreaker.run() grants the pause that the source asks for, up to five minutes", async () => {
  for (const [wishSeconds, pauseSeconds] of [[7, 7], [100_000, 300]] as const) {
    const bench = new Bench();
    await bench.fail("source-unavailable", wishSeconds);
    await assert.rejects(bench.work(), { ...REFUSAL, retryAfterSeconds: pauseSeconds });
    bench.nowMs += pauseSeconds * 1000;
    assert.equal(await bench.work(), "done");
  }
});

Deno.test("CircuitBreaker.run() counts a crowd that fails together as one failure", async () => {
  const bench = new Bench();
  await Promise.all(Array.from({ length: 8 }, () => bench.fail()));
  assert.equal(bench.told.length, 1);
  bench.nowMs += FIRST_PAUSE_MS;
  assert.equal(bench.breaker.admits, true);
});

Deno.test("CircuitBreaker.run() probes with one piece of work, and refuses all other at once", async () => {
  const bench = new Bench();
  await bench.fail();
  bench.nowMs += FIRST_PAUSE_MS;
  const gate = new Gate();
  const probe = bench.breaker.run(() => gate.pass());
  assert.equal(bench.breaker.admits, false);
  // However long the probe hangs.
  bench.nowMs += 3_600_000;
  for (let other = 0; other < 100; other++) {
    await assert.rejects(bench.work(), { ...REFUSAL, retryAfterSeconds: 1 });
  }
  assert.equal(gate.arrivals, 1);
  gate.open();
  await probe;
  assert.equal(await bench.work(), "done");
});

Deno.test("CircuitBreaker.succeed() lets others through although the probe goes on", async () => {
  const bench = new Bench();
  await bench.fail();
  bench.nowMs += FIRST_PAUSE_MS;
  const gate = new Gate();
  const download = bench.breaker.run(async () => {
    bench.breaker.succeed();
    await gate.pass();
  });
  assert.deepEqual([bench.breaker.isUp, bench.told[1]], [true, true]);
  assert.equal(await bench.work(), "done");
  gate.open();
  await download;
  assert.equal(bench.told.length, 2);
});

Deno.test("CircuitBreaker.run() has one probe although an earlier one outlasts its time", async () => {
  const bench = new Bench();
  const [early, late] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await bench.fail();
  bench.nowMs += FIRST_PAUSE_MS;
  const first = bench.breaker.run(() => early.promise);
  // Somebody who had asked before the first failure gets an answer after all.
  bench.breaker.succeed();
  await bench.fail();
  bench.nowMs += FIRST_PAUSE_MS;
  const second = bench.breaker.run(() => late.promise);
  early.reject(new TypeError("bug"));
  await assert.rejects(first, TypeError);
  assert.equal(bench.breaker.admits, false, "the second still probes");
  late.resolve();
  await second;
  assert.deepEqual([bench.breaker.isUp, bench.breaker.admits], [true, true]);
});
