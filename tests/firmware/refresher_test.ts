import assert from "node:assert/strict";
import { Refresher, type RefresherOptions } from "../../src/firmware/refresher.ts";
import { Gate } from "../helpers/registry/gate.ts";

const INTERVAL_MS = 60_000;
const TRACK_MS = 24 * 60 * 60 * 1000;

/** Numbers from 0 up to 1 that look random, and are the same each time (a Weyl sequence). */
function evenNumbers(): () => number {
  let number = 0;
  return () => number = (number + 0.618_033_988_749_895) % 1;
}

/** The same without evenness, as chance has it (a linear congruential generator). */
function chance(): () => number {
  let state = 12_345;
  return () => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
}

/** A refresher by a clock that a test moves on second by second. */
class Bench {
  nowMs = 5000;
  readonly checked: string[] = [];
  readonly refresher: Refresher;

  constructor(options: Partial<RefresherOptions> = {}) {
    this.refresher = new Refresher({
      check: (device) => this.checked.push(device),
      intervalMs: INTERVAL_MS,
      trackForMs: TRACK_MS,
      now: () => this.nowMs,
      random: () => 0.5,
      ...options,
    });
  }

  /** Lets seconds pass, with a tick in each. */
  pass(seconds: number): readonly number[] {
    return Array.from({ length: seconds }, () => {
      const before = this.checked.length;
      this.nowMs += 1000;
      this.refresher.tick();
      return this.checked.length - before;
    });
  }

  askForAll(count: number): void {
    for (let device = 0; device < count; device++) this.refresher.asked(`device-${device}`);
  }
}

Deno.test("Refresher.tick() checks a device once per interval, and never one not asked for", () => {
  const bench = new Bench();
  bench.pass(60);
  assert.deepEqual(bench.checked, []);
  bench.refresher.asked("a");
  // The first turn comes at a random point of the interval: after half of it here.
  assert.equal(bench.pass(29).indexOf(1), -1);
  assert.deepEqual(bench.pass(1), [1]);
  for (let interval = 0; interval < 5; interval++) {
    const counts = bench.pass(60);
    assert.equal(counts.indexOf(1), 59);
    assert.equal(counts.reduce((sum, count) => sum + count), 1);
  }
});

Deno.test("Refresher.asked() does not put the next turn off, however often it is called", () => {
  const bench = new Bench();
  for (let second = 0; second < 120; second++) {
    bench.refresher.asked("a");
    bench.pass(1);
  }
  assert.deepEqual(bench.checked, ["a", "a"]);
});

for (const [name, random] of [["even", evenNumbers], ["plain", chance]] as const) {
  Deno.test(`Refresher.tick() spreads 1,000 devices that came at once over the interval by ${name} chance`, () => {
    const bench = new Bench({ random: random() });
    bench.askForAll(1000);
    const counts = bench.pass(180);
    // 17 in a second on average.
    assert(Math.max(...counts) <= 40, `${counts}`);
    assert.equal(counts.filter((count) => count === 0).length, 0);
    const perDevice = Map.groupBy(bench.checked, (device) => device);
    assert.equal(perDevice.size, 1000);
    for (const checks of perDevice.values()) assert.equal(checks.length, 3);
  });
}

Deno.test("Refresher.tick() forgets a device that nobody has asked for long enough", () => {
  const bench = new Bench({ trackForMs: 120_000 });
  bench.refresher.asked("a");
  bench.refresher.asked("b");
  bench.pass(100);
  bench.refresher.asked("b");
  bench.pass(19);
  assert.equal(bench.refresher.size, 2);
  bench.pass(1);
  assert.equal(bench.refresher.size, 1);
  bench.checked.length = 0;
  bench.pass(60);
  assert.deepEqual(bench.checked, ["b"]);
  bench.pass(40);
  assert.equal(bench.refresher.size, 0);
});

Deno.test("Refresher.tick() tracks nobody where devices are tracked for no time", () => {
  const bench = new Bench({ trackForMs: 0, random: () => 0 });
  bench.refresher.asked("a");
  bench.pass(120);
  assert.deepEqual([bench.checked, bench.refresher.size], [[], 0]);
});

Deno.test("Refresher.tick() does not catch up after the clock has jumped, and stays spread", () => {
  const bench = new Bench({ random: evenNumbers() });
  bench.askForAll(1000);
  bench.pass(60);
  bench.checked.length = 0;
  bench.nowMs += 3_600_000;
  assert.deepEqual(bench.pass(1), [1000], "each is checked once");
  const counts = bench.pass(120);
  assert(Math.max(...counts) <= 40, `${counts}`);
  assert.equal(counts.reduce((sum, count) => sum + count), 2000);
});

Deno.test("Refresher.checked() counts for a turn that has come, and for no other", () => {
  const bench = new Bench();
  bench.refresher.checked("stranger");
  assert.equal(bench.refresher.size, 0);
  bench.refresher.asked("a");
  bench.refresher.checked("a");
  assert.equal(bench.pass(30).at(-1), 1, "its turn had not come");
  bench.nowMs += INTERVAL_MS;
  bench.refresher.checked("a");
  assert.deepEqual(bench.pass(59).filter((count) => count > 0), []);
  assert.deepEqual(bench.pass(1), [1]);
});

Deno.test("Refresher.forget() checks a device no more until it is asked for again", () => {
  const bench = new Bench();
  bench.refresher.asked("a");
  bench.refresher.forget("a");
  bench.pass(120);
  assert.deepEqual(bench.checked, []);
  bench.refresher.asked("a");
  bench.pass(60);
  assert.deepEqual(bench.checked, ["a"]);
});

Deno.test("Refresher does nothing where the interval is 0", { sanitizeOps: true }, () => {
  const bench = new Bench({ intervalMs: 0 });
  bench.refresher.asked("a");
  // A timer would be found by the test runner.
  bench.refresher.start();
  bench.pass(10);
  assert.deepEqual([bench.checked, bench.refresher.size], [[], 0]);
});

Deno.test("Refresher.start() ticks often enough for a short interval, until stop()", {
  sanitizeOps: true,
}, async () => {
  const gate = new Gate();
  const refresher = new Refresher({
    check: () => void gate.pass(),
    intervalMs: 40,
    trackForMs: TRACK_MS,
    now: () => performance.now(),
    random: () => 0,
  });
  refresher.asked("a");
  refresher.start();
  refresher.start();
  const begin = performance.now();
  await gate.arrived(4);
  // A tick per second would take three of them; the rest is for a busy machine.
  assert(performance.now() - begin < 2500);
  // Were the second timer left running, the test runner would find it.
  refresher.stop();
});

Deno.test("Refresher.tick() checks all that a device is asked for at one time", () => {
  let number = 0;
  const bench = new Bench({ random: () => number += 0.1 });
  bench.refresher.asked("a?file=1");
  bench.refresher.asked("b");
  bench.pass(20);
  bench.refresher.asked("a");
  bench.refresher.asked("a?file=2");
  bench.checked.length = 0;
  const counts = bench.pass(60);
  assert.deepEqual(counts.filter((count) => count > 0), [3, 1]);
  assert.equal(bench.refresher.size, 4);
  for (const key of ["a?file=1", "a", "a?file=2"]) bench.refresher.forget(key);
  assert.equal(bench.refresher.size, 1);
  bench.refresher.forget("b");
  // Nothing is left of the device: its next turn comes by chance again.
  number = 0.4;
  bench.refresher.asked("a");
  assert.equal(bench.pass(60).findLastIndex((count) => count > 0), 29);
});
