import assert from "node:assert/strict";
import { NoStore } from "../../src/store/none.ts";
import { put, sha256Of } from "../helpers/disk.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";

Deno.test("NoStore takes everything and has nothing", async () => {
  const store = new NoStore();
  const bytes = firmwareBytes(1000, 1);
  await put(store, bytes);
  await (await store.draft()).discard();
  assert.equal(await store.open(), undefined);
  assert.equal(await store.load(), undefined);
  assert.equal(await store.save(), true);
  await store.remove();
  assert.equal(store.bytes, 0, sha256Of(bytes));
});
