import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import { cutFrames, isZstd } from "../../src/firmware/zstd_frames.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";

/** What a frame of the tests is made of. */
interface FrameOptions {
  readonly kind: "random" | "zeros" | "text" | "skippable";
  readonly size: number;
  readonly hasChecksum: boolean;
  readonly hasContentSize: boolean;
}

/** A frame with blocks as they are, of one byte, and compressed; or one that is passed over. */
function frameOf({ kind, size, hasChecksum, hasContentSize }: FrameOptions): Uint8Array {
  if (kind === "skippable") {
    const frame = new Uint8Array(8 + size).fill(0xaa);
    const header = new DataView(frame.buffer);
    header.setUint32(0, 0x184d2a50 + size % 16, true);
    header.setUint32(4, size, true);
    return frame;
  }
  const bytes = {
    random: firmwareBytes(size, 1),
    zeros: new Uint8Array(size),
    text: Buffer.from("OtaFlux ".repeat(size).slice(0, size)),
  }[kind];
  return zstdCompressSync(bytes, {
    params: {
      [constants.ZSTD_c_checksumFlag]: Number(hasChecksum),
      [constants.ZSTD_c_contentSizeFlag]: Number(hasContentSize),
    },
  });
}

function* inPieces(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const size = sizes[index % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

const FRAME = frameOf({ kind: "text", size: 1000, hasChecksum: true, hasContentSize: true });
const SKIPPED = frameOf({ kind: "skippable", size: 5, hasChecksum: false, hasContentSize: false });

Deno.test("cutFrames() begins a chunk with each frame, whatever the frames and chunks", async () => {
  const frames = fc.array(
    fc.record({
      kind: fc.constantFrom("random", "zeros", "text", "skippable"),
      // Content sizes are written with 1, 2, 4 or 8 bytes; a block has 128 KiB at most.
      size: fc.oneof(fc.nat(300), fc.nat(70_000), fc.nat(400_000)),
      hasChecksum: fc.boolean(),
      hasContentSize: fc.boolean(),
    }),
    { minLength: 1, maxLength: 6 },
  );
  // Small pieces that cut headers, among large ones that hold several frames.
  const sizes = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 10, max: 1e6 }));
  await fc.assert(
    fc.asyncProperty(frames, sizes, async (options, sizes) => {
      const parts = options.map(frameOf);
      const file = Buffer.concat(parts);
      const chunks = await Array.fromAsync(cutFrames(inPieces(file, sizes)));
      assert.ok(Buffer.concat(chunks).equals(file), "the same bytes");
      const begins = new Set<number>();
      let at = 0;
      for (const chunk of chunks) {
        assert.ok(chunk.length > 0, "no empty chunk");
        begins.add(at);
        at += chunk.length;
      }
      at = 0;
      for (const part of parts) {
        assert.ok(begins.has(at), `a chunk begins at ${at}`);
        at += part.length;
      }
      // What comes in large chunks stays in large ones. Deno's compressor adds an empty frame here
      // and there.
      assert.ok(chunks.length <= 2 * parts.length + [...inPieces(file, sizes)].length);
    }),
    { numRuns: 150 },
  );
});

Deno.test("cutFrames() reads a header that comes byte by byte", async () => {
  const frames = [FRAME, SKIPPED, FRAME].map((frame) => [...frame]);
  const bytes = frames.flat().map((byte) => Uint8Array.of(byte));
  const chunks = await Array.fromAsync(cutFrames(bytes));
  assert.deepEqual(Buffer.concat(chunks), Buffer.from(frames.flat()));
});

Deno.test("cutFrames() cuts nowhere else, also not where something is empty", async () => {
  const nothing = {
    kind: "skippable",
    size: 0,
    hasChecksum: false,
    hasContentSize: false,
  } as const;
  const frames = [frameOf(nothing), FRAME, zstdCompressSync(new Uint8Array()), SKIPPED, FRAME];
  const chunks = await Array.fromAsync(cutFrames([Buffer.concat(frames)]));
  assert.deepEqual(chunks.map((chunk) => chunk.length), frames.map((frame) => frame.length));
});

Deno.test("cutFrames() leaves alone what is no frame, from there on", async () => {
  for (const before of [[], [FRAME], [SKIPPED, FRAME]]) {
    const wrong = Buffer.concat([Buffer.from("no frame"), FRAME, FRAME]);
    const file = Buffer.concat([...before, wrong]);
    const chunks = await Array.fromAsync(cutFrames([file]));
    assert.deepEqual(chunks.map((chunk) => chunk.length), [
      ...before.map((frame) => frame.length),
      wrong.length,
    ]);
  }
});

Deno.test("cutFrames() hands on what is cut off, for others to complain of", async () => {
  for (let length = 0; length < FRAME.length; length++) {
    const chunks = await Array.fromAsync(cutFrames([FRAME.subarray(0, length)]));
    assert.deepEqual(Buffer.concat(chunks), Buffer.from(FRAME.subarray(0, length)));
  }
});

Deno.test("cutFrames() passes the error of its chunks on", async () => {
  const error = new Error("No progress");
  function* chunks(): Generator<Uint8Array> {
    yield FRAME;
    throw error;
  }
  await assert.rejects(Array.fromAsync(cutFrames(chunks())), (thrown) => thrown === error);
});

Deno.test("cutFrames() lets others have their turn among thousands of empty frames", async () => {
  const empty = zstdCompressSync(new Uint8Array());
  const file = Buffer.concat(Array.from({ length: 10_000 }, () => empty));
  let turns = 0;
  const counting = setInterval(() => turns++, 0);
  const chunks = await Array.fromAsync(cutFrames([file]));
  clearInterval(counting);
  assert.equal(chunks.length, 10_000);
  assert.ok(turns > 1, `${turns} turns`);
});

for (
  const [expected, head] of [
    [true, FRAME],
    [true, SKIPPED],
    [true, [0x28, 0xb5, 0x2f, 0xfd]],
    [true, [0x50, 0x2a, 0x4d, 0x18]],
    [true, [0x5f, 0x2a, 0x4d, 0x18]],
    [false, [0x60, 0x2a, 0x4d, 0x18]],
    [false, [0x28, 0xb5, 0x2f]],
    [false, [0xfd, 0x2f, 0xb5, 0x28]],
    [false, []],
  ] as const
) {
  Deno.test(`isZstd() is ${expected} for [${[...head].slice(0, 4).join(" ")}], ${head.length} bytes`, () => {
    assert.equal(isZstd(Uint8Array.from(head)), expected);
  });
}

Deno.test("isZstd() looks where the bytes are, in a part of a larger buffer", () => {
  const buffer = Buffer.concat([new Uint8Array(7), FRAME]);
  assert.equal(isZstd(buffer.subarray(7)), true);
  assert.equal(isZstd(buffer), false);
});

Deno.test("the frames of these tests are frames, to the platform too", () => {
  assert.equal(zstdDecompressSync(FRAME).length, 1000);
});
