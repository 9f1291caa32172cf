import assert from "node:assert/strict";
import fc from "fast-check";
import { type CacheEntry, FirmwareCache } from "../../src/firmware/cache.ts";

function entryOf(version: string): CacheEntry {
  const firmware = {
    tag: version,
    version,
    digest: "sha256:0",
    size: 0,
    crc32: 0,
    sha256: "",
    md5: "",
    modifiedAt: new Date(0),
    annotations: {},
    bytes: new Uint8Array(),
  } as const;
  return { firmware, confirmedAtMs: 0, failures: 0, retryAtMs: 0 };
}

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
