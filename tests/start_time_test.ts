import assert from "node:assert/strict";
import { StartTime } from "../src/start_time.ts";

/** A wall clock that can be set, and a steady one, which both go on. */
class Clocks {
  nowMs: number;
  uptimeMs = 500;

  constructor(now: string) {
    this.nowMs = Date.parse(now);
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.uptimeMs += ms;
  }

  startTime(): StartTime {
    return new StartTime({ now: () => this.nowMs, uptime: () => this.uptimeMs });
  }
}

Deno.test("StartTime goes with the clock of the wall where that is set", () => {
  const clocks = new Clocks("1970-01-01T00:00:20Z");
  const start = clocks.startTime();
  clocks.pass(3000);
  assert.equal(start.date.toISOString(), "1970-01-01T00:00:19.500Z");
  clocks.nowMs = Date.parse("2026-11-24T12:00:00Z");
  assert.equal(start.date.toISOString(), "2026-11-24T11:59:56.500Z");
  clocks.nowMs -= 3_600_000;
  assert.equal(start.date.toISOString(), "2026-11-24T10:59:56.500Z");
});

Deno.test("StartTime stays the same while clocks only drift apart, as a restart would change it", () => {
  const clocks = new Clocks("2026-11-24T12:00:00Z");
  const start = clocks.startTime();
  const first = start.date.getTime();
  for (let times = 0; times < 100; times++) {
    clocks.pass(60_000);
    clocks.nowMs += times % 2 === 0 ? 900 : -900;
    assert.equal(start.date.getTime(), first);
  }
});

Deno.test("StartTime begins before now, and not before this machine did", () => {
  const ageSeconds = (Date.now() - new StartTime().date.getTime()) / 1000;
  assert(ageSeconds > 0 && ageSeconds < Deno.osUptime(), `${ageSeconds}`);
});
