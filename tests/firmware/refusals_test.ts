import assert from "node:assert/strict";
import { type ErrorCode, ServiceError } from "../../src/errors.ts";
import { Refusals } from "../../src/firmware/refusals.ts";

const UNKNOWN_MS = 10_000;

/** Refusals by a clock that stands still. */
class Bench {
  nowMs = 1000;
  readonly refusals: Refusals;

  constructor(unknownForMs = UNKNOWN_MS) {
    this.refusals = new Refusals({ unknownForMs, now: () => this.nowMs, random: () => 1 });
  }

  add(device: string, code: ErrorCode): ServiceError {
    const error = new ServiceError(code, "No");
    this.refusals.add(device, error);
    return error;
  }

  /** For how many seconds a device is refused from now on. */
  seconds(device: string): number {
    let seconds = 0;
    for (; this.refusals.find(device) !== undefined; seconds++) this.nowMs += 1000;
    return seconds;
  }
}

Deno.test("Refusals.find() gives the same error for as long as an unknown device is remembered", () => {
  const bench = new Bench();
  const error = bench.add("nobody", "firmware-unknown");
  assert.equal(bench.refusals.find("nobody"), error);
  assert.equal(bench.refusals.find("other"), undefined);
  bench.nowMs += UNKNOWN_MS - 1;
  assert.equal(bench.refusals.find("nobody"), error);
  bench.nowMs += 1;
  assert.equal(bench.refusals.find("nobody"), undefined);
});

Deno.test("Refusals.add() remembers an unknown device no longer however often it is unknown", () => {
  const bench = new Bench();
  for (let time = 0; time < 20; time++) {
    bench.add("nobody", "firmware-unknown");
    assert.equal(bench.seconds("nobody"), 10);
  }
});

Deno.test("Refusals.add() remembers no unknown device where that is not wanted", () => {
  const bench = new Bench(0);
  bench.add("nobody", "firmware-unknown");
  assert.equal(bench.refusals.find("nobody"), undefined);
});

for (
  const code of [
    "artifact-invalid",
    "signature-invalid",
    "source-refused",
    "source-invalid",
    "storage-failed",
  ] as const
) {
  Deno.test(`Refusals.add() remembers ${code} twice as long each time, up to five minutes`, () => {
    const bench = new Bench();
    const pauses = Array.from({ length: 11 }, () => {
      bench.add("a", code);
      return bench.seconds("a");
    });
    assert.deepEqual(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  });
}

Deno.test("Refusals.add() begins with a short pause for what was unknown before", () => {
  const bench = new Bench();
  for (let time = 0; time < 20; time++) bench.add("a", "firmware-unknown");
  bench.add("a", "artifact-invalid");
  assert.equal(bench.seconds("a"), 1);
});

for (const code of ["source-unavailable", "source-timeout", "device-invalid"] as const) {
  Deno.test(`Refusals.add() does not remember ${code}: that is no device's own`, () => {
    const bench = new Bench();
    bench.add("a", code);
    bench.refusals.add("b", new Error("bug"));
    assert.equal(bench.refusals.find("a"), undefined);
    assert.equal(bench.refusals.find("b"), undefined);
  });
}

Deno.test("Refusals.delete() forgets a device, and how often it failed", () => {
  const bench = new Bench();
  for (let time = 0; time < 5; time++) bench.add("a", "artifact-invalid");
  bench.refusals.delete("a");
  assert.equal(bench.refusals.find("a"), undefined);
  bench.add("a", "artifact-invalid");
  assert.equal(bench.seconds("a"), 1);
});

Deno.test("Refusals remember the last 10,000 devices and no more", () => {
  const bench = new Bench();
  const ids = Array.from({ length: 25_000 }, (_, number) => `misspelt-${number}`);
  for (const id of ids) bench.add(id, "firmware-unknown");
  const remembered = ids.filter((id) => bench.refusals.find(id) !== undefined);
  assert.deepEqual(remembered, ids.slice(-10_000));
});
