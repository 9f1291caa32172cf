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

/** The first chunks, in bytes: at 1.1 KB/s one takes the default patience of 60 s. */
const SMALL_CHUNK_BYTES = 64 * 1024;

/** No chunk is larger, in bytes. */
const LARGE_CHUNK_BYTES = 256 * 1024;

/**
 * So many bytes go in small chunks, whoever reads: the system takes up to about as many at once,
 * which says nothing of the reader.
 */
const UNKNOWN_BYTES = 512 * 1024;

/** Who takes a chunk within this time, in milliseconds, is fast. */
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

interface Download {
  readonly reader: ByteReader;
  readonly controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  lastProgressMs: number;
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
   */
  send(reader: ByteReader): ReadableStream<Uint8Array<ArrayBuffer>> {
    try {
      this.#admission?.enter();
    } catch (error) {
      reader.close();
      throw error;
    }
    let download: Download;
    let given = 0;
    return new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller): void => {
        download = { reader, controller, lastProgressMs: this.#now() };
        this.#add(download);
      },
      pull: async (controller): Promise<void> => {
        const now = this.#now();
        const isFast = given >= UNKNOWN_BYTES && now - download.lastProgressMs < FAST_CHUNK_MS;
        download.lastProgressMs = now;
        try {
          const chunk = await reader.read(isFast ? LARGE_CHUNK_BYTES : SMALL_CHUNK_BYTES);
          if (chunk !== undefined) {
            given += chunk.length;
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

  /** Cuts off whoever has taken nothing for too long. */
  sweep(): void {
    const now = this.#now();
    for (const download of this.#underWay) {
      if (now - download.lastProgressMs < this.#idleMs) continue;
      log.info("Download is cut off, its reader takes nothing", { seconds: this.#idleMs / 1000 });
      this.#end(download);
      download.controller.error(new Error("Reader takes nothing"));
    }
  }

  #add(download: Download): void {
    this.#underWay.add(download);
    this.#timer ??= setInterval(() => this.sweep(), this.#idleMs / SWEEPS_PER_TIMEOUT);
  }

  #end(download: Download): void {
    if (!this.#underWay.delete(download)) return;
    download.reader.close();
    this.#admission?.leave();
    if (this.#underWay.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
