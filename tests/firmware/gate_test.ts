import assert from "node:assert/strict";
import { ServiceError } from "../../src/errors.ts";
import { SourceGate } from "../../src/firmware/gate.ts";
import { FakeSource, Observed } from "../helpers/fake_source.ts";
import { CapturedLogs } from "../helpers/logs.ts";
import { Gate } from "../helpers/registry/gate.ts";

const AWAY = new ServiceError("source-unavailable", "Registry cannot be reached");

/** A gate in front of a source that bears two requests at once, by a clock that stands still. */
class Bench {
  nowMs = 1000;
  readonly source = new FakeSource();
  readonly observed = new Observed();
  readonly gate = new SourceGate({
    source: this.source,
    concurrency: 2,
    observer: this.observed,
    now: () => this.nowMs,
    random: () => 1,
  });

  async fail(): Promise<void> {
    await assert.rejects(this.gate.ask(() => Promise.reject(AWAY)), AWAY);
  }
}

Deno.test("SourceGate.ask() lets no more work through at once than the source bears", async () => {
  const { gate } = new Bench();
  const held = new Gate();
  const asked = ["a", "b", "c"].map((name) => gate.ask(() => held.pass().then(() => name)));
  await held.arrived(2);
  // Work that nobody holds would have come by now.
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(held.arrivals, 2);
  held.open();
  assert.deepEqual(await Promise.all(asked), ["a", "b", "c"]);
});

Deno.test("SourceGate.behind() leaves a place for who waits", async () => {
  const { gate } = new Bench();
  const held = new Gate();
  const behind = ["a", "b"].map(() => gate.behind(() => gate.ask(() => held.pass())));
  await held.arrived();
  assert.equal(await gate.ask(() => Promise.resolve("at once")), "at once");
  assert.equal(held.arrivals, 1);
  held.open();
  await Promise.all(behind);
});

Deno.test("SourceGate.ask() does no work in a pause, not even what stood in line before it", async () => {
  const { gate } = new Bench();
  const held = new Gate();
  const failing = ["a", "b"].map(() =>
    gate.ask(() => held.pass().then(() => Promise.reject(AWAY)))
  );
  let isDone = false;
  const inLine = gate.ask(() => Promise.resolve(isDone = true));
  held.open();
  for (const work of [...failing, inLine, gate.ask(() => Promise.resolve(isDone = true))]) {
    await assert.rejects(work, { code: "source-unavailable" });
  }
  assert(!isDone && !gate.admits && !gate.isUp);
});

Deno.test("SourceGate tells once when the source is away, and once when it is back", async () => {
  using logs = new CapturedLogs();
  const bench = new Bench();
  const { gate, observed } = bench;
  assert.deepEqual(observed.states, [true]);
  await bench.fail();
  assert.equal(gate.silence?.error, AWAY);
  assert.deepEqual(observed.states, [true, false]);
  gate.answered();
  gate.answered();
  assert.deepEqual(observed.states, [true, false, true]);
  assert.deepEqual(logs.messages("warn"), ["Registry does not answer"]);
  assert.deepEqual(logs.messages("info"), ["Registry answers again"]);
});

Deno.test("SourceGate.probe() asks a silent source whether it is back, but not in its pause", async () => {
  const bench = new Bench();
  await bench.fail();
  bench.gate.probe();
  assert.deepEqual(bench.source.calls, []);
  bench.nowMs += 1000;
  bench.gate.probe();
  bench.gate.probe();
  assert.deepEqual(bench.source.calls, ["ping"]);
  while (!bench.gate.isUp) await Promise.resolve();
});
