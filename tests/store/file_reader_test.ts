import assert from "node:assert/strict";
import fc from "fast-check";
import { BLOCK_BYTES, BlockCache } from "../../src/store/block_cache.ts";
import { FileReader } from "../../src/store/file_reader.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";

const BYTES = firmwareBytes(2 * BLOCK_BYTES + 1000, 1);

/** Runs with a file of these bytes; what it opens, it closes. */
async function withFile(
  run: (open: (blocks: BlockCache) => FileReader, path: string) => Promise<void>,
): Promise<void> {
  const path = await Deno.makeTempFile();
  const readers: FileReader[] = [];
  try {
    await Deno.writeFile(path, BYTES);
    await run((blocks) => {
      const file = Deno.openSync(path);
      const reader = new FileReader({ file, size: BYTES.length, content: "it", blocks });
      readers.push(reader);
      return reader;
    }, path);
  } finally {
    for (const reader of readers) reader.close();
    await Deno.remove(path);
  }
}

async function readAll(reader: FileReader, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let part; (part = await reader.read(maxBytes)) !== undefined;) {
    assert.ok(part.length > 0 && part.length <= maxBytes);
    parts.push(part);
  }
  assert.equal(reader.isAtEnd, true);
  return new Uint8Array(await new Blob(parts.map((part) => part.slice())).arrayBuffer());
}

Deno.test("FileReader.read() gives every part of a file, by chunks of any size, kept blocks or not", async () => {
  await withFile(async (open) => {
    const place = fc.nat({ max: BYTES.length });
    const chunk = fc.integer({ min: 1000, max: 2 * BLOCK_BYTES });
    const blocks = new BlockCache({ maxBytes: BLOCK_BYTES, blockReaders: 1 });
    await fc.assert(
      fc.asyncProperty(place, place, chunk, fc.boolean(), async (one, other, maxBytes, isLate) => {
        const [start, end] = [Math.min(one, other), Math.max(one, other)];
        const before = isLate ? open(blocks) : undefined;
        const reader = open(blocks);
        reader.seek({ start, end });
        assert.deepEqual(await readAll(reader, maxBytes), BYTES.slice(start, end));
        reader.close();
        before?.close();
      }),
      { numRuns: 200 },
    );
  });
});

Deno.test("FileReader.read() reads a block once for all who ask for it", async () => {
  await withFile(async (open, path) => {
    const blocks = new BlockCache();
    const first = open(blocks);
    assert.deepEqual(await readAll(first, 64 * 1024), BYTES);
    const second = open(blocks);
    // What is kept needs no disk any more.
    await Deno.truncate(path, 0);
    assert.deepEqual(await readAll(second, BLOCK_BYTES), BYTES);
  });
});

Deno.test("FileReader.read() keeps nothing for others where there are too many readers", async () => {
  await withFile(async (open) => {
    const blocks = new BlockCache({ blockReaders: 0 });
    const reader = open(blocks);
    const part = await reader.read(1000);
    assert.deepEqual(part, BYTES.slice(0, 1000));
    // No larger buffer is behind it that a slow reader would hold.
    assert.equal(part.buffer.byteLength, 1000);
    assert.equal(blocks.get("it", 0), undefined);
  });
});

Deno.test("FileReader.read() fails where somebody has cut the file", async () => {
  await withFile(async (open, path) => {
    const reader = open(new BlockCache());
    await Deno.truncate(path, 10);
    await assert.rejects(reader.read(1000), /^Error: File ended at byte 10, before 262144$/);
  });
});
