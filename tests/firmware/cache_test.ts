import assert from "node:assert/strict";
import fc from "fast-check";
import { FirmwareCache, SELECTIONS_LIMIT } from "../../src/firmware/cache.ts";
import { entryOf } from "../helpers/known.ts";

/** Which devices are there, without making use of them. */
function devicesOf(cache: FirmwareCache, devices: readonly string[]): readonly string[] {
  return devices.filter((device) => cache.get(device) !== undefined);
}

Deno.test("FirmwareCache.get() returns what was set last", () => {
  const cache = new FirmwareCache(2);
  assert.equal(cache.get("a"), undefined);
  const [old, entry] = [entryOf("1.0.0"), entryOf("2.0.0")];
  cache.set("a", old);
  cache.set("a", entry);
  assert.equal(cache.get("a"), entry);
  assert.equal(cache.size, 1);
});

Deno.test("FirmwareCache.set() drops the device that was set the longest ago", () => {
  const cache = new FirmwareCache(2);
  for (const device of ["a", "b", "c"]) cache.set(device, entryOf("1.0.0"));
  assert.deepEqual(devicesOf(cache, ["a", "b", "c"]), ["b", "c"]);
  assert.equal(cache.size, 2);
});

Deno.test("FirmwareCache.get() counts as a use", () => {
  const cache = new FirmwareCache(2);
  cache.set("a", entryOf("1.0.0"));
  cache.set("b", entryOf("1.0.0"));
  cache.get("a");
  cache.set("c", entryOf("1.0.0"));
  assert.deepEqual(devicesOf(cache, ["a", "b", "c"]), ["a", "c"]);
});

Deno.test("FirmwareCache.set() of a known device counts as a use and drops nobody", () => {
  const cache = new FirmwareCache(2);
  cache.set("a", entryOf("1.0.0"));
  cache.set("b", entryOf("1.0.0"));
  cache.set("a", entryOf("2.0.0"));
  assert.equal(cache.size, 2);
  cache.set("c", entryOf("1.0.0"));
  assert.deepEqual(devicesOf(cache, ["a", "b", "c"]), ["a", "c"]);
});

Deno.test("FirmwareCache.peek() and update() do not count as a use", () => {
  const cache = new FirmwareCache(2);
  cache.set("a", entryOf("1.0.0"));
  cache.set("b", entryOf("1.0.0"));
  const entry = entryOf("2.0.0");
  cache.update("a", entry);
  assert.equal(cache.peek("a"), entry);
  assert.deepEqual([...cache.entries()].map(([device]) => device), ["a", "b"]);
  cache.set("c", entryOf("1.0.0"));
  assert.deepEqual([...cache.entries()].map(([device]) => device), ["b", "c"]);
});

Deno.test("FirmwareCache.update() does not bring back what has lost its place", () => {
  const cache = new FirmwareCache(2);
  cache.update("a", entryOf("1.0.0"));
  assert.equal(cache.peek("a"), undefined);
  assert.equal(cache.size, 0);
});

Deno.test("FirmwareCache.delete() forgets a device, and takes one that is not there", () => {
  const cache = new FirmwareCache(2);
  cache.set("a", entryOf("1.0.0"));
  cache.delete("a");
  cache.delete("b");
  assert.equal(cache.get("a"), undefined);
  assert.equal(cache.size, 0);
});

Deno.test("FirmwareCache holds the devices that were used last, as a plain list would", () => {
  const steps = fc.array(
    fc.tuple(fc.constantFrom("get", "set", "delete"), fc.constantFrom(..."abcdef")),
    { maxLength: 60 },
  );
  fc.assert(fc.property(steps, fc.integer({ min: 1, max: 4 }), (steps, capacity) => {
    const cache = new FirmwareCache(capacity);
    let model: string[] = [];
    for (const [action, device] of steps) {
      const isKnown = model.includes(device);
      if (action === "set") cache.set(device, entryOf("1.0.0"));
      else if (action === "get") assert.equal(cache.get(device) !== undefined, isKnown);
      else cache.delete(device);
      const stays = action === "set" || (action === "get" && isKnown);
      model = [...model.filter((other) => other !== device), ...(stays ? [device] : [])]
        .slice(-capacity);
      assert.equal(cache.size, model.length);
    }
    assert.deepEqual(devicesOf(cache, model), model);
  }));
});

Deno.test("FirmwareCache.set() drops the selection that was used the longest ago, and says so", () => {
  const cache = new FirmwareCache(1);
  cache.set("a", entryOf("1.0.0"));
  const keys = Array.from({ length: SELECTIONS_LIMIT - 1 }, (_, at) => `a?file=${at}`);
  for (const key of keys) assert.deepEqual(cache.set(key, entryOf("1.0.0")), []);
  cache.get("a?file=0");
  assert.deepEqual(cache.set("a?file=x", entryOf("1.0.0")), ["a?file=1"]);
  assert.deepEqual(cache.set("a?file=y", entryOf("1.0.0")), ["a?file=2"]);
  assert.equal(cache.peek("a?file=1"), undefined);
  assert.notEqual(cache.peek("a?file=0"), undefined);
  assert.notEqual(cache.peek("a"), undefined, "what devices ask for that say nothing stays");
  assert.equal(cache.size, 1);
  assert.equal(cache.ofDevice("a").length, SELECTIONS_LIMIT);
});

Deno.test("FirmwareCache keeps what the operator wants where a device says nothing", () => {
  const cache = new FirmwareCache(1, { isDefault: (key) => key === "a?constraint=1" });
  cache.set("a?constraint=1", entryOf("1.0.0"));
  for (let at = 0; at < 2 * SELECTIONS_LIMIT; at++) cache.set(`a?file=${at}`, entryOf("1.0.0"));
  assert.notEqual(cache.peek("a?constraint=1"), undefined);
  assert.equal(cache.ofDevice("a").length, SELECTIONS_LIMIT);
});

Deno.test("FirmwareCache drops a device with all its selections, and forgets it with the last one", () => {
  const cache = new FirmwareCache(2);
  for (const key of ["a", "a?file=1", "b", "c"]) cache.set(key, entryOf("1.0.0"));
  assert.deepEqual([cache.peek("a"), cache.peek("a?file=1"), cache.size], [
    undefined,
    undefined,
    2,
  ]);
  cache.set("b?file=1", entryOf("1.0.0"));
  cache.delete("b");
  assert.equal(cache.size, 2);
  cache.delete("b?file=1");
  assert.equal(cache.size, 1);
});
