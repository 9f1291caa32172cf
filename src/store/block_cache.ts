/**
 * Parts of files that many ask for, in memory.
 *
 * A fleet that updates reads the same file a thousand times within minutes. The system has it in
 * memory, too, but to fetch it from there takes longer than to send it: a buffer for each chunk, a
 * thread for each read. So the blocks that were read last are kept as they are, and sent as they
 * are, to all.
 *
 * @module
 */

import { LRUCache } from "lru-cache";

/** Files are read in blocks of so many bytes: as many as the fastest readers take at once. */
export const BLOCK_BYTES = 256 * 1024;

/** All blocks together take no more bytes: the firmware of a few kinds of devices, or one image. */
const CACHE_BYTES = 16 * 1024 * 1024;

/**
 * So many readers at once have whole blocks read for them. Whoever stops reading holds what it was
 * given last, also when it is not kept here any more: beyond them that is no more than it asked for.
 */
const BLOCK_READERS = 64;

/** Options of {@linkcode BlockCache}. */
export interface BlockCacheOptions {
  /** The most bytes of all blocks together. @default 16 MiB */
  readonly maxBytes?: number;
  /** How many readers at once have whole blocks read for them. @default 64 */
  readonly blockReaders?: number;
}

/** Keeps a bounded number of blocks; those that were not asked for the longest go first. */
export class BlockCache {
  readonly #blocks: LRUCache<string, Uint8Array<ArrayBuffer>>;
  readonly #blockReaders: number;
  #readers = 0;

  /**
   * Keeps nothing yet.
   *
   * @param options How much, and for how many.
   */
  constructor({ maxBytes = CACHE_BYTES, blockReaders = BLOCK_READERS }: BlockCacheOptions = {}) {
    this.#blocks = new LRUCache({ maxSize: maxBytes, sizeCalculation: ({ length }) => length });
    this.#blockReaders = blockReaders;
  }

  /**
   * Counts a reader. {@linkcode BlockCache.leave} is to follow, once.
   *
   * @returns Whether it may read whole blocks, for others too.
   */
  enter(): boolean {
    return ++this.#readers <= this.#blockReaders;
  }

  /** Counts a reader that has ended. */
  leave(): void {
    this.#readers--;
  }

  /**
   * Looks a block up.
   *
   * @param content Names the whole, and its state.
   * @param index Which block of it.
   * @returns Its bytes, which nobody may change; undefined where they are not kept.
   */
  get(content: string, index: number): Uint8Array<ArrayBuffer> | undefined {
    return this.#blocks.get(`${content} ${index}`);
  }

  /**
   * Keeps a block, at the cost of others.
   *
   * @param content Names the whole, and its state.
   * @param index Which block of it.
   * @param block Its bytes, which nobody may change from now on.
   */
  set(content: string, index: number, block: Uint8Array<ArrayBuffer>): void {
    this.#blocks.set(`${content} ${index}`, block);
  }
}
