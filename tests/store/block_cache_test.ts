import assert from "node:assert/strict";
import { BlockCache } from "../../src/store/block_cache.ts";

const block = (fill: number): Uint8Array<ArrayBuffer> => new Uint8Array(100).fill(fill);

Deno.test("BlockCache keeps blocks by content and place, and no more bytes than it may", () => {
  const blocks = new BlockCache({ maxBytes: 250 });
  blocks.set("a", 0, block(1));
  blocks.set("a", 1, block(2));
  assert.deepEqual(blocks.get("a", 0), block(1));
  assert.equal(blocks.get("b", 0), undefined);
  blocks.set("b", 0, block(3));
  // The one that was not asked for had to go.
  assert.equal(blocks.get("a", 1), undefined);
  assert.deepEqual([blocks.get("a", 0), blocks.get("b", 0)], [block(1), block(3)]);
});

Deno.test("BlockCache.enter() lets so many readers at once read whole blocks", () => {
  const blocks = new BlockCache({ blockReaders: 2 });
  assert.deepEqual([blocks.enter(), blocks.enter(), blocks.enter()], [true, true, false]);
  blocks.leave();
  blocks.leave();
  assert.equal(blocks.enter(), true);
});
