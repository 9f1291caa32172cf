import assert from "node:assert/strict";
import { MemoryStore } from "../../src/store/memory.ts";
import { put, sha256Of } from "../helpers/disk.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { bytesOf, storedBytes } from "../helpers/stored.ts";

const [one, two, three] = [1, 2, 3].map((seed) => firmwareBytes(1000, seed));
assert(one && two && three);

Deno.test("MemoryStore shows nothing before it is committed", async () => {
  const store = new MemoryStore({ maxBytes: 10_000 });
  const draft = await store.draft(one.length);
  await draft.write(one);
  assert.equal(await store.open(sha256Of(one)), undefined);
  await draft.discard();
  assert.equal(store.bytes, 0);
  await put(store, one);
  assert.deepEqual(await storedBytes(store, sha256Of(one)), one);
});

Deno.test("MemoryStore holds equal content once", async () => {
  const store = new MemoryStore({ maxBytes: 10_000 });
  await put(store, one);
  await put(store, one);
  assert.equal(store.bytes, 1000);
});

Deno.test("MemoryStore lets go what was not used the longest", async () => {
  let evictions = 0;
  const store = new MemoryStore({ maxBytes: 2500, onEviction: () => evictions++ });
  await put(store, one);
  await put(store, two);
  await put(store, one);
  assert.equal(evictions, 0);
  const held = await store.open(sha256Of(one));
  await put(store, three);
  assert.equal(await store.open(sha256Of(two)), undefined);
  assert.deepEqual(held && await bytesOf(held), one);
  assert.equal(store.bytes, 2000);
  assert.equal(evictions, 1);
});

Deno.test("MemoryStore writes nothing down", async () => {
  const store = new MemoryStore({ maxBytes: 2500 });
  assert.equal(await store.save(), true);
  assert.equal(await store.load(), undefined);
  await store.remove();
});

Deno.test("MemoryReader.seek() gives a part, and another one after it", async () => {
  const store = new MemoryStore({ maxBytes: 10_000 });
  await put(store, one);
  const reader = await store.open(sha256Of(one));
  assert(reader);
  for (const [start, end] of [[100, 300], [0, 1], [999, 1000]] as const) {
    reader.seek({ start, end });
    assert.equal(reader.isAtEnd, false);
    assert.deepEqual(await bytesOf(reader), one.slice(start, end));
    assert.equal(reader.isAtEnd, true);
  }
});
