/**
 * Sends firmware to readers of all speeds, and gives up on those that stop reading.
 *
 * `Deno.serve` has no limit of its own on a reader that stops, and a file's own stream, which it
 * sends by itself, cannot be watched or ended from outside. So the bytes are handed over in chunks,
 * small ones at first and to whoever is slow: a thousand readers that stop hold a thousand small
 * chunks, and a slow one takes its chunk in time. Who reads fast gets larger ones, which cost less.
 *
 * @module
 */

import type { ByteReader } from "../firmware/firmware.ts";
import { logger } from "../log.ts";
import type { Admission } from "./admission.ts";

/** The first chunk, in bytes, and those of who is slow: at 1.1 KB/s one takes the default 60 s. */
const SMALL_CHUNK_BYTES = 64 * 1024;

/** No chunk is larger, in bytes. */
const LARGE_CHUNK_BYTES = 256 * 1024;

/**
 * Chunks that are larger than the small ones take so many bytes together, or little more: whoever
 * stops reading keeps his, and the more there are, the more may stop.
 */
const LARGE_CHUNKS_BYTES = 16 * 1024 * 1024;

/** Who takes a chunk within this time, in milliseconds, is fast, and gets twice as much next. */
const FAST_CHUNK_MS = 250;

/** How often it is looked for readers that have stopped, as a part of the time that they have. */
const SWEEPS_PER_TIMEOUT = 4;

const log = logger("api");

/** Options of {@linkcode Downloads}. */
export interface DownloadsOptions {
  /** How long a reader may take nothing, in milliseconds. */
  readonly idleMs: number;
  /** Says whether one more may begin. @default all may */
  readonly admission?: Pick<Admission, "enter" | "leave">;
  /** A steady clock in milliseconds. @default performance.now */
  readonly now?: () => number;
}

/** Some bytes of a firmware. */
export type Chunk = Uint8Array<ArrayBuffer>;

interface Download {
  readonly reader: ByteReader;
  readonly controller: ReadableStreamDefaultController<Chunk>;
  chunkBytes: number;
  lastProgressMs: number;
}

/** Ends the stream of a download whose reader takes nothing: the log has heard of it. */
export class ReaderStopped extends Error {
  /** There is nothing more to say of it. */
  constructor() {
    super("Reader takes nothing");
    this.name = "ReaderStopped";
  }
}

/** All downloads under way. */
export class Downloads {
  readonly #idleMs: number;
  readonly #admission: DownloadsOptions["admission"];
  readonly #now: () => number;
  readonly #underWay = new Set<Download>();
  #sentBytes = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /**
   * Watches nobody yet.
   *
   * @param options How patient it is, and who is let in.
   */
  constructor({ idleMs, admission, now = () => performance.now() }: DownloadsOptions) {
    this.#idleMs = idleMs;
    this.#admission = admission;
    this.#now = now;
  }

  /** How many are under way. */
  get count(): number {
    return this.#underWay.size;
  }

  /** How many bytes were handed over, in all downloads since the start. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /**
   * Begins a download.
   *
   * @param reader Gives the bytes; closed at the end, however it comes.
   * @returns A body, which errors when its reader takes nothing for too long: that cuts the
   * connection, so that no device takes a part for the whole.
   * @throws {ServiceError} `downloads-full`
   * @throws {Error} What the reader throws at once.
   */
  async send(reader: ByteReader): Promise<ReadableStream<Chunk>> {
    try {
      this.#admission?.enter();
    } catch (error) {
      reader.close();
      throw error;
    }
    let first: Chunk | undefined;
    try {
      first = await reader.read(SMALL_CHUNK_BYTES);
    } catch (error) {
      this.#leave(reader);
      throw error;
    }
    this.#sentBytes += first?.length ?? 0;
    if (!reader.isAtEnd) return this.#stream(reader, first);
    this.#leave(reader);
    return new ReadableStream<Chunk>({
      start(controller): void {
        if (first !== undefined) controller.enqueue(first);
        controller.close();
      },
    });
  }

  /** Cuts off whoever has taken nothing for too long. */
  sweep(): void {
    const now = this.#now();
    for (const download of this.#underWay) {
      if (now - download.lastProgressMs < this.#idleMs) continue;
      log.info("Download is cut off, its reader takes nothing", { seconds: this.#idleMs / 1000 });
      this.#end(download);
      download.controller.error(new ReaderStopped());
    }
  }

  #stream(reader: ByteReader, first: Chunk | undefined): ReadableStream<Chunk> {
    let download: Download;
    return new ReadableStream<Chunk>({
      start: (controller): void => {
        const lastProgressMs = this.#now();
        download = { reader, controller, chunkBytes: SMALL_CHUNK_BYTES, lastProgressMs };
        this.#add(download);
        if (first !== undefined) controller.enqueue(first);
      },
      pull: async (controller): Promise<void> => {
        this.#progress(download);
        try {
          const chunk = await reader.read(download.chunkBytes);
          if (chunk !== undefined) {
            this.#sentBytes += chunk.length;
            controller.enqueue(chunk);
          }
          if (chunk === undefined || reader.isAtEnd) {
            this.#end(download);
            controller.close();
          }
        } catch (error) {
          this.#end(download);
          controller.error(error);
        }
      },
      cancel: (): void => this.#end(download),
    }, { highWaterMark: 0 });
  }

  /** Notes that a reader has taken its chunk, and decides how large the next one is. */
  #progress(download: Download): void {
    const now = this.#now();
    const isFast = now - download.lastProgressMs < FAST_CHUNK_MS;
    const limit = Math.min(LARGE_CHUNK_BYTES, Math.floor(LARGE_CHUNKS_BYTES / this.count));
    const wish = isFast ? Math.min(2 * download.chunkBytes, limit) : 0;
    download.chunkBytes = Math.max(SMALL_CHUNK_BYTES, wish);
    download.lastProgressMs = now;
  }

  #add(download: Download): void {
    this.#underWay.add(download);
    this.#timer ??= setInterval(() => this.sweep(), this.#idleMs / SWEEPS_PER_TIMEOUT);
  }

  #end(download: Download): void {
    if (!this.#underWay.delete(download)) return;
    this.#leave(download.reader);
    if (this.#underWay.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #leave(reader: ByteReader): void {
    reader.close();
    this.#admission?.leave();
  }
}
