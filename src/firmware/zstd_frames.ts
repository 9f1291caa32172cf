/**
 * Where the frames of a zstd file end.
 *
 * A file may have many (RFC 8878, 3): Podman and skopeo write one for each part of a layer, and a
 * table of contents behind them (`zstd:chunked`); pzstd writes as many as it has threads. Deno's
 * decompressor (2.9.6) goes on with the next frame where that begins a chunk, and loses whatever
 * stands behind the end of a frame in the same chunk.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8878#section-3.1
 * @module
 */

import { setImmediate } from "node:timers/promises";

/** Before compressed bytes (3.1.1). Numbers are stored the least significant byte first. */
const ZSTD_MAGIC = 0xfd2fb528;

/** Before anything else, which is to be passed over (3.1.2); the last four bits are free. */
const SKIPPABLE_MAGIC = 0x184d2a50;

/** What a number is made of at most, in bytes. */
const NUMBER_BYTES = 4;

/** A block's kind: one byte, however many it stands for (3.1.1.2.2). */
const RLE_BLOCK = 1;

/** So many frames come without anybody else's turn: a small file may have millions of empty ones. */
const FRAMES_PER_TURN = 64;

/** Stands among the lengths that {@linkcode walk} gives, none of which is 0. */
const FRAME_END = 0;

/**
 * Tells whether bytes are the beginning of a zstd file.
 *
 * @param head The first bytes.
 * @returns Whether a frame begins there, of either kind.
 */
export function isZstd(head: Uint8Array): boolean {
  if (head.length < NUMBER_BYTES) return false;
  const magic = new DataView(head.buffer, head.byteOffset).getUint32(0, true);
  return magic === ZSTD_MAGIC || isSkippable(magic);
}

/**
 * Cuts the chunks of a zstd file where its frames end, so that each frame begins a chunk.
 *
 * @param chunks The file.
 * @returns The same bytes. What is no frame is not cut: whoever uncompresses it says what is wrong.
 */
export async function* cutFrames(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const steps = walk();
  let step = steps.next(0);
  let [taken, number, frames] = [0, 0, 0];
  for await (const chunk of chunks) {
    let start = 0;
    for (let at = 0; at < chunk.length && !step.done;) {
      const end = Math.min(at + step.value - taken, chunk.length);
      for (; at < end && taken < NUMBER_BYTES; at++, taken++) {
        number += (chunk[at] ?? 0) * 2 ** (8 * taken);
      }
      taken += end - at;
      at = end;
      if (taken < step.value) break;
      step = steps.next(number);
      [taken, number] = [0, 0];
      if (step.value !== FRAME_END) continue;
      yield chunk.subarray(start, at);
      start = at;
      if (++frames % FRAMES_PER_TURN === 0) await setImmediate();
      step = steps.next(0);
    }
    if (start < chunk.length) yield chunk.subarray(start);
  }
}

/**
 * Goes through a file field by field: gives how many bytes the next one has, or that a frame has
 * ended, and wants to know the number in its first bytes. Returns where no frame begins.
 */
function* walk(): Generator<number, void, number> {
  for (;;) {
    const magic = yield NUMBER_BYTES;
    if (isSkippable(magic)) {
      const length = yield NUMBER_BYTES;
      if (length > 0) yield length;
    } else if (magic === ZSTD_MAGIC) yield* walkFrame();
    else return;
    yield FRAME_END;
  }
}

function* walkFrame(): Generator<number, void, number> {
  const descriptor = yield 1;
  yield headerRest(descriptor);
  for (let isLast = false; !isLast;) {
    const header = yield 3;
    isLast = (header & 1) === 1;
    const length = (header >> 1 & 3) === RLE_BLOCK ? 1 : header >> 3;
    if (length > 0) yield length;
  }
  const hasChecksum = (descriptor & 4) !== 0;
  if (hasChecksum) yield 4;
}

/** How many bytes a frame's header has behind its descriptor (3.1.1.1): one at least. */
function headerRest(descriptor: number): number {
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const windowBytes = isSingleSegment ? 0 : 1;
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const contentSizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  return windowBytes + dictionaryIdBytes + contentSizeBytes;
}

function isSkippable(magic: number): boolean {
  return magic - magic % 16 === SKIPPABLE_MAGIC;
}
