/**
 * From a blob to the firmware's bytes and their checksums, in one pass.
 *
 * @module
 */

import { createHash, type Hash } from "node:crypto";
import { crc32 } from "node:zlib";
import { ServiceError } from "../errors.ts";
import type { Descriptor } from "../oci.ts";
import {
  type Compression,
  extractOnlyFile,
  isTarArchive,
  SNIFF_BYTES,
  sniffCompression,
} from "./archive.ts";
import type { LayerForm } from "./artifact.ts";
import { peek, VerifyingReader } from "./blob.ts";
import type { Firmware } from "./firmware.ts";

/** A firmware's bytes and what is computed of them. */
export type FirmwareContent = Pick<Firmware, "bytes" | "size" | "crc32" | "sha256">;

/** What {@linkcode readContent} needs to know. */
export interface ReadOptions {
  /** What the blob must be. */
  readonly layer: Descriptor;
  /** How it holds the firmware. */
  readonly form: LayerForm;
  /** The largest firmware that is accepted, in bytes. */
  readonly maxBytes: number;
}

/**
 * Reads a firmware out of a blob.
 *
 * @param stream The blob as it comes.
 * @param options What is expected of it.
 * @returns The firmware's bytes, only after the whole blob was verified.
 * @throws {ServiceError} `artifact-invalid`, or what the stream errors with.
 */
export async function readContent(
  stream: ReadableStream<Uint8Array>,
  options: ReadOptions,
): Promise<FirmwareContent> {
  const { layer, maxBytes } = options;
  try {
    const blob = new VerifyingReader(stream, layer);
    const { head, all } = await peek(blob, options.form === "raw" ? 0 : SNIFF_BYTES);
    const isArchive = options.form === "archive" ||
      (options.form === "sniff" && await isTarArchive(head));
    const content = isArchive
      ? await readArchive(all, { compression: sniffCompression(head), maxBytes })
      : await readRaw(all, { layer, maxBytes });
    if (!blob.verified) {
      throw new ServiceError("artifact-invalid", `Blob ${layer.digest} goes on behind its archive`);
    }
    return content;
  } catch (error) {
    // What was not read to its end, nobody else will. It may have failed already.
    if (!stream.locked) await stream.cancel().catch(() => {});
    throw error;
  }
}

async function readRaw(
  chunks: AsyncIterable<Uint8Array>,
  { layer: { digest, size }, maxBytes }: Pick<ReadOptions, "layer" | "maxBytes">,
): Promise<FirmwareContent> {
  if (size > maxBytes) {
    throw new ServiceError(
      "artifact-invalid",
      `Firmware has ${size} bytes, want ${maxBytes} at most`,
    );
  }
  // The blob is checked against this very hash: it need not be computed twice.
  const [, known] = /^sha256:(.*)$/.exec(digest) ?? [];
  const collector = new Collector(size, known);
  for await (const chunk of chunks) collector.add(chunk);
  return collector.finish();
}

async function readArchive(
  chunks: AsyncIterable<Uint8Array>,
  options: { readonly compression: Compression; readonly maxBytes: number },
): Promise<FirmwareContent> {
  let collector = new Collector(0);
  await extractOnlyFile(chunks, {
    ...options,
    open: (size) => {
      collector = new Collector(size);
      return (chunk) => collector.add(chunk);
    },
  });
  return collector.finish();
}

/** Holds the bytes once, in a buffer of their exact size, and computes checksums as they come. */
class Collector {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #sha256: Hash | string;
  #filled = 0;
  #crc32 = 0;

  constructor(size: number, knownSha256?: string) {
    this.#bytes = new Uint8Array(size);
    this.#sha256 = knownSha256 ?? createHash("sha256");
  }

  add(chunk: Uint8Array): void {
    this.#bytes.set(chunk, this.#filled);
    this.#filled += chunk.length;
    this.#crc32 = crc32(chunk, this.#crc32);
    if (typeof this.#sha256 !== "string") this.#sha256.update(chunk);
  }

  finish(): FirmwareContent {
    return {
      bytes: this.#bytes,
      size: this.#filled,
      crc32: this.#crc32,
      sha256: typeof this.#sha256 === "string" ? this.#sha256 : this.#sha256.digest("hex"),
    };
  }
}
