/**
 * From a blob to the firmware's bytes and their checksums, in one pass.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { ServiceError } from "../errors.ts";
import type { Descriptor } from "../oci.ts";
import { extractOnlyFile, isTarArchive, SNIFF_BYTES, sniffCompression } from "./archive.ts";
import type { LayerForm } from "./artifact.ts";
import { peek, VerifyingReader } from "./blob.ts";
import type { Firmware, FirmwareStore, StoreDraft } from "./firmware.ts";

/** What is computed of a firmware's bytes while they are stored. */
export type FirmwareContent = Pick<Firmware, "size" | "crc32" | "sha256" | "md5">;

/** What {@linkcode storeContent} needs to know. */
export interface ContentOptions {
  /** What the blob must be. */
  readonly layer: Descriptor;
  /** How it holds the firmware. */
  readonly form: LayerForm;
  /** The largest firmware that is accepted, in bytes. */
  readonly maxBytes: number;
  /** Where the firmware goes. */
  readonly store: Pick<FirmwareStore, "draft" | "keepsLayers">;
}

/** A firmware that is in the store. */
export interface StoredContent {
  /** The firmware's own size and checksums. */
  readonly content: FirmwareContent;
  /** What the layer is stored under; the firmware itself where the store keeps no layers. */
  readonly layerSha256: string;
}

/**
 * Reads a firmware out of a blob into the store.
 *
 * @param stream The blob as it comes.
 * @param options What is expected of it, and where it goes.
 * @returns What was stored, only after the whole blob was verified.
 * @throws {ServiceError} `artifact-invalid`, `storage-failed`, or what the stream errors with; then
 * nothing is stored.
 */
export async function storeContent(
  stream: ReadableStream<Uint8Array>,
  options: ContentOptions,
): Promise<StoredContent> {
  const { layer, form, store } = options;
  const writers: Writer[] = [];
  try {
    const blob = new VerifyingReader(stream, layer);
    const { head, all } = await peek(blob, form === "raw" ? 0 : SNIFF_BYTES);
    const isArchive = form === "archive" || (form === "sniff" && await isTarArchive(head));
    if (!isArchive) {
      const writer = await startFirmware(layer.size, { ...options, writers });
      for await (const chunk of all) await writer.write(chunk);
    } else {
      const chunks = store.keepsLayers
        ? tee(all, await startWriter(layer.size, { ...options, writers }))
        : all;
      // What unpacks may still hold a chunk when the next one comes.
      await extractOnlyFile(copies(chunks), {
        compression: sniffCompression(head),
        maxBytes: options.maxBytes,
        open: async (size) => {
          const writer = await startFirmware(size, { ...options, writers });
          return (chunk) => writer.write(chunk);
        },
      });
    }
    if (!blob.verified) {
      throw new ServiceError("artifact-invalid", `Blob ${layer.digest} goes on behind its archive`);
    }
    const finished = [];
    for (const writer of writers) finished.push(await writer.commit());
    const [first, last] = [finished.at(0), finished.at(-1)];
    if (first === undefined || last === undefined) throw new TypeError("Nothing was written");
    return { content: last, layerSha256: first.sha256 };
  } catch (error) {
    for (const writer of writers) await writer.discard();
    // What was not read to its end, nobody else will. It may have failed already.
    if (!stream.locked) await stream.cancel().catch(() => {});
    throw error;
  }
}

type WriterOptions = ContentOptions & { readonly writers: Writer[] };

/** A layer that might have been an archive may be larger than a firmware. */
async function startFirmware(size: number, options: WriterOptions): Promise<Writer> {
  const { maxBytes } = options;
  if (size <= maxBytes) return await startWriter(size, options);
  throw new ServiceError(
    "artifact-invalid",
    `Firmware has ${size} bytes, want ${maxBytes} at most`,
  );
}

async function startWriter(size: number, { writers, store }: WriterOptions): Promise<Writer> {
  const writer = new Writer(await store.draft(size));
  writers.push(writer);
  return writer;
}

async function* copies(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield chunk.slice();
}

async function* tee(
  chunks: AsyncIterable<Uint8Array>,
  writer: Writer,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    await writer.write(chunk);
    yield chunk;
  }
}

/** Computes checksums of what it hands on to the store. */
class Writer {
  readonly #draft: StoreDraft;
  readonly #sha256 = createHash("sha256");
  readonly #md5 = createHash("md5");
  #size = 0;
  #crc32 = 0;

  constructor(draft: StoreDraft) {
    this.#draft = draft;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#size += chunk.length;
    this.#crc32 = crc32(chunk, this.#crc32);
    this.#sha256.update(chunk);
    this.#md5.update(chunk);
    await this.#draft.write(chunk);
  }

  async commit(): Promise<FirmwareContent> {
    const sha256 = this.#sha256.digest("hex");
    await this.#draft.commit(sha256);
    return { size: this.#size, crc32: this.#crc32, sha256, md5: this.#md5.digest("hex") };
  }

  async discard(): Promise<void> {
    await this.#draft.discard();
  }
}
