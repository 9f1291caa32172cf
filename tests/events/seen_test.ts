import assert from "node:assert/strict";
import { SeenEvents } from "../../src/events/seen.ts";

const KEEP_MS = 1000;

function bench(limit = 3): { seen: SeenEvents; clock: { nowMs: number } } {
  const clock = { nowMs: 10_000 };
  return { clock, seen: new SeenEvents({ limit, keepMs: KEEP_MS, now: () => clock.nowMs }) };
}

Deno.test("SeenEvents remembers an id for its time, and no longer", () => {
  const { seen, clock } = bench();
  seen.add("a");
  clock.nowMs += KEEP_MS - 1;
  assert(seen.has("a"));
  clock.nowMs += 1;
  assert(!seen.has("a"));
  assert.deepEqual(seen.entries, []);
});

Deno.test("SeenEvents remembers the latest ids, up to its number", () => {
  const { seen, clock } = bench();
  for (const id of ["a", "b", "a", "c", "d"]) {
    clock.nowMs++;
    seen.add(id);
  }
  assert.deepEqual(seen.entries.map(([id]) => id), ["a", "c", "d"]);
  assert(!seen.has("b"));
});

Deno.test("SeenEvents goes on from what another one has left", () => {
  const { seen, clock } = bench();
  seen.add("old", clock.nowMs - KEEP_MS);
  seen.add("new", clock.nowMs - 1);
  assert.deepEqual([seen.has("old"), seen.has("new")], [false, true]);
});

Deno.test("SeenEvents stays bounded where the clock was set back", () => {
  const { seen, clock } = bench();
  for (const id of ["a", "b", "c"]) seen.add(id);
  clock.nowMs -= 9_000;
  for (const id of ["d", "e"]) seen.add(id);
  assert.deepEqual(seen.entries.map(([id]) => id), ["c", "d", "e"]);
});
