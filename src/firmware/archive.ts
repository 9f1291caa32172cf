/**
 * The one file of a tar archive, as `docker build FROM scratch` with `COPY firmware.bin /` makes.
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md
 * @module
 */

import { pipeline, Readable, type Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
// @deno-types="./tar_stream.d.ts"
import { type Entry, extract, type Headers } from "tar-stream";
import { isServiceError, ServiceError } from "../errors.ts";
import { cutFrames, isZstd } from "./zstd_frames.ts";

/** How an archive is compressed. */
export type Compression = "none" | "gzip" | "zstd";

/**
 * So many bytes of any archive are enough to uncompress its first tar header: a block of zstd, the
 * larger of the two formats, is at most 128 KiB (RFC 8878, 3.1.1.2.4).
 */
export const SNIFF_BYTES = 160 * 1024;

/**
 * An archive may hold so much beside the file's own bytes: headers, padding, empty blocks. It bounds
 * what an archive made to be huge can make us uncompress.
 */
export const ARCHIVE_OVERHEAD_BYTES = 1024 * 1024;

/** Offset and text of the mark in a tar header (POSIX.1-1988, ustar). */
const USTAR_OFFSET = 257;
const USTAR = "ustar";

/**
 * How the bytes are compressed, by their magic numbers (RFC 1952, 2.3.1; RFC 8878, 3.1).
 *
 * @param head The first bytes.
 * @returns The format; `none` for anything else.
 */
export function sniffCompression(head: Uint8Array): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  return isZstd(head) ? "zstd" : "none";
}

/**
 * Tells whether bytes are the beginning of a tar archive, compressed or not.
 *
 * @param head The first {@linkcode SNIFF_BYTES} bytes, or all where there are fewer.
 * @returns Whether they are; a compressed file that is no archive is none.
 */
export async function isTarArchive(head: Uint8Array): Promise<boolean> {
  const wanted = USTAR_OFFSET + USTAR.length;
  const compression = sniffCompression(head);
  const header = compression === "none" ? head : await uncompressHead(head, compression, wanted);
  return new TextDecoder().decode(header.subarray(USTAR_OFFSET, wanted)) === USTAR;
}

/** What {@linkcode extractOnlyFile} needs to know. */
export interface ExtractOptions {
  /** How the archive is compressed. */
  readonly compression: Compression;
  /** The largest file that is accepted, in bytes. */
  readonly maxBytes: number;
  /** Called once, before the file's bytes come, with their number; takes the bytes. */
  readonly open: (size: number) => Promise<(chunk: Uint8Array) => Promise<void>>;
}

/**
 * Unpacks the one regular file of an archive as it streams by. Folders and links do not count.
 *
 * @param chunks The archive.
 * @param options How to read it and where the file goes.
 * @throws {ServiceError} `artifact-invalid` where it is no archive, or holds no file, more than
 * one, an empty or a too large one.
 */
export async function extractOnlyFile(
  chunks: AsyncIterable<Uint8Array>,
  options: ExtractOptions,
): Promise<void> {
  try {
    let found = false;
    for await (const entry of entries(chunks, options)) {
      const { header } = entry;
      if (!isFile(header)) {
        entry.resume();
        continue;
      }
      if (found) throw invalid("Layer is an archive of several files, want exactly one");
      found = true;
      const { size } = header;
      if (size === 0) throw invalid("Layer is an archive of an empty file");
      if (size > options.maxBytes) {
        throw invalid(`File in the layer has ${size} bytes, want ${options.maxBytes} at most`);
      }
      const write = await options.open(size);
      for await (const chunk of entry) await write(chunk);
    }
    if (!found) throw invalid("Layer is an archive without a file, want exactly one");
  } catch (error) {
    if (isServiceError(error)) throw error;
    throw new ServiceError("artifact-invalid", "Layer is no readable tar archive", {
      cause: error,
    });
  }
}

/** What a regular file is; what else an archive may hold is passed over, or refused. */
function isFile({ name, type, size, pax }: Headers): boolean {
  // The reader hands on what is no number, such as base 256 in a spelling that it does not know, and
  // then waits without end for as many bytes.
  if (!Number.isSafeInteger(size)) throw invalid("Layer is an archive with an entry of no size");
  if (name.split("/").at(-1)?.startsWith(".wh.")) return false;
  if (type === "file" || type === "contiguous-file") {
    // Its bytes are a map of the file and what is not empty of it: not what a device can run.
    const isSparse = Object.keys(pax ?? {}).some((key) => key.startsWith("GNU.sparse."));
    if (isSparse) throw invalid("Layer is an archive of a sparse file, want a plain one");
    return true;
  }
  // The reader knows no name for old GNU kinds: sparse files, volume labels, parts of volumes.
  if (!type) throw invalid("Layer is an archive with an entry of an unknown kind");
  return false;
}

function entries(
  chunks: AsyncIterable<Uint8Array>,
  { compression, maxBytes }: ExtractOptions,
): AsyncIterable<Entry> {
  const extractor = extract();
  const bounded = (uncompressed: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> =>
    limitBytes(uncompressed, maxBytes + ARCHIVE_OVERHEAD_BYTES);
  // Errors also reach whoever reads the entries; without a callback they would be thrown twice.
  const ignore = (): void => {};
  if (compression === "none") pipeline(Readable.from(chunks), bounded, extractor, ignore);
  else pipeline(...uncompressing(chunks, compression), bounded, extractor, ignore);
  return extractor;
}

async function* limitBytes(
  chunks: AsyncIterable<Uint8Array>,
  limit: number,
): AsyncGenerator<Uint8Array> {
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.length;
    if (length > limit) throw invalid(`Layer unpacks to more than ${limit} bytes`);
    yield chunk;
  }
}

/** What a pipeline begins with, whose bytes are to be uncompressed. */
function uncompressing(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  compression: Exclude<Compression, "none">,
): readonly [Readable, Transform] {
  // Not DecompressionStream: it knows no zstd, and stops after the first of several gzip members.
  return compression === "gzip"
    ? [Readable.from(chunks), createGunzip()]
    : [Readable.from(cutFrames(chunks)), createZstdDecompress()];
}

/** The head is cut anywhere, so an error at its end says nothing. */
function uncompressHead(
  head: Uint8Array,
  compression: Exclude<Compression, "none">,
  length: number,
): Promise<Uint8Array> {
  const result = new Uint8Array(length);
  let filled = 0;
  return new Promise((resolve) => {
    const stream = pipeline(...uncompressing([head], compression), () => finish());
    const finish = (): void => {
      stream.destroy();
      resolve(result.subarray(0, filled));
    };
    stream.on("data", (chunk: Uint8Array) => {
      const part = chunk.subarray(0, length - filled);
      result.set(part, filled);
      filled += part.length;
      if (filled === length) finish();
    });
  });
}

function invalid(message: string): ServiceError {
  return new ServiceError("artifact-invalid", message);
}
