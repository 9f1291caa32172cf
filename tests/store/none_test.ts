import assert from "node:assert/strict";
import { NoStore } from "../../src/store/none.ts";
import { put } from "../helpers/disk.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";

Deno.test("NoStore takes everything and has nothing", async () => {
  const store = new NoStore();
  await put(store, firmwareBytes(1000, 1));
  await (await store.draft()).discard();
  assert.equal(await store.open(), undefined);
  assert.equal(await store.load(), undefined);
  assert.equal(await store.save(), true);
  await store.remove();
  assert.equal(store.bytes, 0);
});
