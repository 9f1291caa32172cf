import assert from "node:assert/strict";
import { EventQueue, type EventQueueOptions } from "../../src/events/queue.ts";
import { type ErrorCode, ServiceError } from "../../src/errors.ts";
import { filesOf, withFolder } from "../helpers/disk.ts";
import { CapturedLogs } from "../helpers/logs.ts";
import { Gate } from "../helpers/registry/gate.ts";

interface Timer {
  readonly callback: () => void;
  readonly dueMs: number;
}

/** A queue by a clock that a test moves on. */
class QueueBench {
  nowMs = 1000;
  /** Devices, each time that one is checked. */
  readonly handled: string[] = [];
  /** Thrown by checks. */
  failure: unknown;
  /** Holds checks. */
  gate: Gate | undefined;
  queue!: EventQueue;
  readonly #timers = new Set<Timer>();
  #id = 0;

  static async open(options: Partial<EventQueueOptions> = {}): Promise<QueueBench> {
    const bench = new QueueBench();
    bench.queue = await EventQueue.open({
      directory: undefined,
      concurrency: 4,
      now: () => bench.nowMs,
      random: () => 1,
      schedule: (callback, ms) => {
        const timer = { callback, dueMs: bench.nowMs + ms };
        bench.#timers.add(timer);
        return () => void bench.#timers.delete(timer);
      },
      handle: async (device) => {
        bench.handled.push(device);
        const { failure } = bench;
        await bench.gate?.pass();
        if (failure !== undefined) throw failure;
      },
      ...options,
    });
    bench.queue.start();
    return bench;
  }

  /** When the next thing will be done, in milliseconds from now; undefined for never. */
  get nextMs(): number | undefined {
    const due = [...this.#timers].map(({ dueMs }) => dueMs - this.nowMs);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  async accept(device: string): Promise<void> {
    await this.queue.accept({ id: `${this.#id++}`, devices: [device] });
  }

  /** Lets time pass, and what is due be done. */
  async pass(ms: number): Promise<void> {
    this.nowMs += ms;
    for (const timer of [...this.#timers]) {
      if (timer.dueMs > this.nowMs || !this.#timers.delete(timer)) continue;
      timer.callback();
    }
    await this.settle();
  }

  /** Lets what was begun go on as far as it can. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  }
}

const QUIET_MS = 50;

/** Waits until all is off the disk: files go in another thread. */
async function nothingPends(directory: string): Promise<void> {
  while ((await filesOf(directory)).some((path) => path.includes("pending")));
}

Deno.test("EventQueue makes one check of twenty events of a device at once", async () => {
  const bench = await QueueBench.open();
  await Promise.all(Array.from({ length: 20 }, () => bench.accept("a")));
  await bench.pass(QUIET_MS);
  assert.deepEqual(bench.handled, ["a"]);
  await bench.pass(60_000);
  assert.deepEqual(bench.handled, ["a"]);
});

Deno.test("EventQueue waits for quiet, but not for ever", async () => {
  const bench = await QueueBench.open();
  await bench.accept("a");
  for (let ms = 0; ms < 480; ms += 40) {
    assert.deepEqual(bench.handled, [], `after ${ms} ms`);
    await bench.pass(40);
    await bench.accept("a");
  }
  await bench.pass(20);
  assert.deepEqual(bench.handled, ["a"]);
});

Deno.test("EventQueue checks each device of an event", async () => {
  const bench = await QueueBench.open();
  await bench.queue.accept({ id: "1", devices: ["a", "b/c"] });
  await bench.pass(QUIET_MS);
  assert.deepEqual(bench.handled.toSorted(), ["a", "b/c"]);
});

Deno.test("EventQueue does not check again for an event that it had before", async () => {
  const bench = await QueueBench.open();
  const event = { id: "1", devices: ["a"] };
  assert.equal(await bench.queue.accept(event), "accepted");
  await bench.pass(QUIET_MS);
  assert.equal(await bench.queue.accept(event), "repeated");
  await bench.pass(60_000);
  assert.deepEqual(bench.handled, ["a"]);
});

Deno.test("EventQueue checks once more for events that come while it checks", async () => {
  const bench = await QueueBench.open();
  const gate = bench.gate = new Gate();
  await bench.accept("a");
  await bench.pass(QUIET_MS);
  assert.equal(gate.arrivals, 1);
  await bench.accept("a");
  await bench.accept("a");
  await bench.pass(60_000);
  assert.equal(gate.arrivals, 1, "never two checks of a device at once");
  gate.open();
  await bench.settle();
  await bench.pass(QUIET_MS);
  assert.deepEqual(bench.handled, ["a", "a"]);
  await bench.pass(60_000);
  assert.deepEqual(bench.handled, ["a", "a"]);
});

Deno.test("EventQueue checks no more devices at once than it may", async () => {
  const bench = await QueueBench.open({ concurrency: 2 });
  const gate = bench.gate = new Gate();
  for (const device of ["a", "b", "c"]) await bench.accept(device);
  await bench.pass(QUIET_MS);
  assert.deepEqual(bench.handled, ["a", "b"]);
  // It stands in line: the check that it waits for covers this, too.
  await bench.accept("c");
  gate.open();
  await bench.settle();
  assert.deepEqual(bench.handled, ["a", "b", "c"]);
  await bench.pass(60_000);
  assert.deepEqual(bench.handled, ["a", "b", "c"]);
});

for (
  const failure of [
    ...(["source-unavailable", "source-timeout", "storage-failed", "source-refused"] as const)
      .map((code) => new ServiceError(code, "Not now")),
    new Error("a mistake of ours"),
  ]
) {
  const what = failure instanceof ServiceError ? failure.code : "an unknown failure";
  Deno.test(`EventQueue tries again after ${what}, longer and longer, and says so once`, async () => {
    using logs = new CapturedLogs();
    const bench = await QueueBench.open();
    bench.failure = failure;
    await bench.accept("a");
    await bench.pass(QUIET_MS);
    for (const seconds of [1, 2, 4, 8, 16, 30, 30]) {
      assert.equal(bench.nextMs, seconds * 1000);
      await bench.pass(seconds * 1000);
    }
    assert.equal(bench.handled.length, 8);
    assert.deepEqual(logs.messages("warn"), ["Event cannot be carried out yet"]);
    bench.failure = undefined;
    await bench.pass(30_000);
    assert.deepEqual(logs.messages("info"), ["Event is carried out"]);
    assert.equal(bench.nextMs, undefined);
  });
}

Deno.test("EventQueue tries for as long as the source is away", async () => {
  const bench = await QueueBench.open();
  bench.failure = new ServiceError("source-unavailable", "Away");
  await bench.accept("a");
  await bench.pass(QUIET_MS);
  for (let time = 0; time < 100; time++) await bench.pass(30_000);
  assert.equal(bench.nextMs, 30_000);
});

Deno.test("EventQueue parts those that failed together by chance", async () => {
  const chances = [0, 0.5];
  const bench = await QueueBench.open({ random: () => chances.shift() ?? 1 });
  bench.failure = new ServiceError("source-unavailable", "Away");
  await bench.accept("a");
  await bench.pass(QUIET_MS);
  assert.equal(bench.nextMs, 500);
  await bench.pass(500);
  assert.equal(bench.nextMs, 1500);
});

Deno.test("EventQueue waits as long as the source wants, up to five minutes", async () => {
  for (const [wished, waited] of [[7, 7000], [3600, 300_000], [0, 1000]] as const) {
    const bench = await QueueBench.open();
    bench.failure = new ServiceError("source-unavailable", "Away", { retryAfterSeconds: wished });
    await bench.accept("a");
    await bench.pass(QUIET_MS);
    assert.equal(bench.nextMs, waited);
  }
});

Deno.test("EventQueue lets a newer event take the place of one that failed, at once", async () => {
  const bench = await QueueBench.open();
  bench.failure = new ServiceError("source-unavailable", "Away");
  await bench.accept("a");
  await bench.pass(QUIET_MS);
  for (let time = 0; time < 5; time++) await bench.pass(16_000);
  const { length } = bench.handled;
  await bench.accept("a");
  assert.equal(bench.nextMs, QUIET_MS);
  await bench.pass(QUIET_MS);
  assert.equal(bench.handled.length, length + 1);
  assert.equal(bench.nextMs, 1000, "it begins with short pauses again");
});

Deno.test("EventQueue checks soon again where a check fails after a newer event came", async () => {
  const bench = await QueueBench.open();
  const gate = bench.gate = new Gate();
  bench.failure = new ServiceError("source-unavailable", "Away");
  await bench.accept("a");
  await bench.pass(QUIET_MS);
  await bench.accept("a");
  gate.open();
  await bench.settle();
  assert.equal(bench.nextMs, QUIET_MS);
});

for (const code of ["firmware-unknown", "artifact-invalid", "device-invalid"] as const) {
  Deno.test(`EventQueue is done with an event after ${code}`, () => endsAfter(code, 1));
}

for (const code of ["source-refused", "source-invalid"] as const) {
  Deno.test(`EventQueue believes ${code} after some minutes`, () => endsAfter(code, 12));
}

async function endsAfter(code: ErrorCode, attempts: number): Promise<void> {
  await withFolder(async (directory) => {
    using logs = new CapturedLogs();
    const bench = await QueueBench.open({ directory: `${directory}/a/events` });
    bench.failure = new ServiceError(code, "No");
    await bench.accept("a");
    for (let attempt = 1; attempt <= attempts; attempt++) {
      assert.notEqual(bench.nextMs, undefined);
      await bench.pass(30_000);
    }
    await nothingPends(directory);
    assert.equal(bench.handled.length, attempts);
    assert.equal(bench.nextMs, undefined);
    assert.equal(logs.records.at(-1)?.message, "Event ends without a firmware");
    await bench.accept("a");
    assert.equal(bench.nextMs, QUIET_MS, "a newer one is another matter");
  });
}

Deno.test("EventQueue carries out after a restart what it had accepted, also what it was at", () =>
  withFolder(async (directory) => {
    const killed = await QueueBench.open({ directory: `${directory}/a/events` });
    const gate = killed.gate = new Gate();
    await killed.accept("a");
    await killed.pass(QUIET_MS);
    assert.equal(gate.arrivals, 1);
    await killed.accept("garden/b");

    const next = await QueueBench.open({ directory: `${directory}/a/events` });
    await next.pass(QUIET_MS);
    assert.deepEqual(next.handled.toSorted(), ["a", "garden/b"]);
    await nothingPends(directory);
    const last = await QueueBench.open({ directory: `${directory}/a/events` });
    await last.pass(60_000);
    assert.deepEqual(last.handled, []);
  }));

Deno.test("EventQueue starts nothing after stop(), and still accepts", () =>
  withFolder(async (directory) => {
    const bench = await QueueBench.open({ directory: `${directory}/a/events` });
    await bench.accept("a");
    bench.queue.stop();
    await bench.accept("b");
    await bench.pass(60_000);
    assert.deepEqual(bench.handled, []);
    const next = await QueueBench.open({ directory: `${directory}/a/events` });
    await next.pass(QUIET_MS);
    assert.deepEqual(next.handled.toSorted(), ["a", "b"]);
    await nothingPends(directory);
  }));

Deno.test("EventQueue tries no more after stop() what fails then", async () => {
  const bench = await QueueBench.open();
  const gate = bench.gate = new Gate();
  bench.failure = new ServiceError("source-unavailable", "Away");
  await bench.accept("a");
  await bench.pass(QUIET_MS);
  bench.queue.stop();
  gate.open();
  await bench.settle();
  assert.equal(bench.nextMs, undefined);
});

Deno.test("EventQueue fails to accept as its journal does", () =>
  withFolder(async (directory) => {
    const bench = await QueueBench.open({ directory: `${directory}/a/events` });
    await Deno.remove(`${directory}/a`, { recursive: true });
    await assert.rejects(bench.accept("a"), { code: "storage-failed" });
    assert.equal(bench.nextMs, undefined);
  }));
