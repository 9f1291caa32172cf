/**
 * Firmware kept in memory, for a process without a cache folder. Fits the port that the domain asks
 * for (`FirmwareStore`).
 *
 * @module
 */

import { LRUCache } from "lru-cache";

/** Options of {@linkcode MemoryStore}. */
export interface MemoryStoreOptions {
  /** How many bytes are kept at most. */
  readonly maxBytes: number;
  /** Told of each content that has to go. @default nobody */
  readonly onEviction?: (() => void) | undefined;
}

/** Keeps a bounded number of bytes; the firmware that was not asked for the longest goes first. */
export class MemoryStore {
  /** Memory has no layouts that would want the layer beside the firmware. */
  readonly keepsLayers = false;
  readonly #contents: LRUCache<string, Uint8Array<ArrayBuffer>>;

  /**
   * Holds nothing yet.
   *
   * @param options How many bytes are kept, and who is told.
   */
  constructor({ maxBytes, onEviction }: MemoryStoreOptions) {
    this.#contents = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: ({ length }) => length,
      // Not where the same content is set again.
      dispose: (_bytes, _sha256, reason) => {
        if (reason === "evict") onEviction?.();
      },
    });
  }

  /** How many bytes are kept. */
  get bytes(): number {
    return this.#contents.calculatedSize;
  }

  /**
   * Begins to take bytes, into one buffer of their number.
   *
   * @param size How many will come.
   * @returns Takes them.
   */
  draft(size: number): Promise<MemoryDraft> {
    return Promise.resolve(
      new MemoryDraft(size, (sha256, bytes) => {
        this.#contents.set(sha256, bytes);
      }),
    );
  }

  /**
   * Opens a firmware.
   *
   * @param sha256 In hex.
   * @returns Gives its bytes, also if they have to go meanwhile; undefined where they had to.
   */
  open(sha256: string): Promise<MemoryReader | undefined> {
    const bytes = this.#contents.get(sha256);
    return Promise.resolve(bytes && new MemoryReader(bytes));
  }

  /**
   * Knows nothing of an earlier process.
   *
   * @returns Always undefined.
   */
  load(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /**
   * Needs to keep nothing: the manager knows it as long as the process lives.
   *
   * @returns At once, that all is well.
   */
  save(): Promise<boolean> {
    return Promise.resolve(true);
  }

  /**
   * Has nothing to remove.
   *
   * @returns At once.
   */
  remove(): Promise<void> {
    return Promise.resolve();
  }
}

/** Takes the bytes of one firmware. */
export class MemoryDraft {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #keep: (sha256: string, bytes: Uint8Array<ArrayBuffer>) => void;
  #filled = 0;

  /**
   * Has room for all of them.
   *
   * @param size How many bytes will come.
   * @param keep Takes them once they are complete.
   */
  constructor(size: number, keep: (sha256: string, bytes: Uint8Array<ArrayBuffer>) => void) {
    this.#bytes = new Uint8Array(size);
    this.#keep = keep;
  }

  /**
   * Appends bytes.
   *
   * @param chunk Some of them.
   * @returns At once.
   */
  write(chunk: Uint8Array): Promise<void> {
    this.#bytes.set(chunk, this.#filled);
    this.#filled += chunk.length;
    return Promise.resolve();
  }

  /**
   * Keeps the bytes.
   *
   * @param sha256 Their SHA-256, in hex.
   * @returns At once.
   */
  commit(sha256: string): Promise<void> {
    this.#keep(sha256, this.#bytes);
    return Promise.resolve();
  }

  /**
   * Has nothing to clear.
   *
   * @returns At once.
   */
  discard(): Promise<void> {
    return Promise.resolve();
  }
}

/** Gives parts of a buffer, without a copy. */
export class MemoryReader {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #at = 0;
  #end: number;

  /**
   * Begins at the beginning.
   *
   * @param bytes What is given.
   */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
    this.#end = bytes.length;
  }

  /** Whether all bytes were given. */
  get isAtEnd(): boolean {
    return this.#at === this.#end;
  }

  /**
   * Goes on with a part, and ends behind it.
   *
   * @param range From which byte to which; within the buffer.
   */
  seek({ start, end }: { readonly start: number; readonly end: number }): void {
    this.#at = start;
    this.#end = end;
  }

  /**
   * Reads on.
   *
   * @param maxBytes The most bytes to give.
   * @returns The next bytes; undefined at the end.
   */
  read(maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.isAtEnd) return Promise.resolve(undefined);
    const part = this.#bytes.subarray(this.#at, Math.min(this.#at + maxBytes, this.#end));
    this.#at += part.length;
    return Promise.resolve(part);
  }

  /** Has nothing to let go of but the buffer. */
  close(): void {}
}
