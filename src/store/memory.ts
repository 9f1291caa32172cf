/**
 * Firmware kept in memory, for a process without a cache folder. Fits the port that the domain asks
 * for (`FirmwareStore`).
 *
 * @module
 */

import { LRUCache } from "lru-cache";

/** Keeps a bounded number of bytes; the firmware that was not asked for the longest goes first. */
export class MemoryStore {
  /** Memory has no layouts that would want the layer beside the firmware. */
  readonly keepsLayers = false;
  readonly #contents: LRUCache<string, Uint8Array<ArrayBuffer>>;

  /**
   * Holds nothing yet.
   *
   * @param options How many bytes are kept at most.
   */
  constructor({ maxBytes }: { readonly maxBytes: number }) {
    this.#contents = new LRUCache({ maxSize: maxBytes, sizeCalculation: ({ length }) => length });
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
   * @returns At once.
   */
  save(): Promise<void> {
    return Promise.resolve();
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
class MemoryDraft {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #keep: (sha256: string, bytes: Uint8Array<ArrayBuffer>) => void;
  #filled = 0;

  constructor(size: number, keep: (sha256: string, bytes: Uint8Array<ArrayBuffer>) => void) {
    this.#bytes = new Uint8Array(size);
    this.#keep = keep;
  }

  write(chunk: Uint8Array): Promise<void> {
    this.#bytes.set(chunk, this.#filled);
    this.#filled += chunk.length;
    return Promise.resolve();
  }

  commit(sha256: string): Promise<void> {
    this.#keep(sha256, this.#bytes);
    return Promise.resolve();
  }

  discard(): Promise<void> {
    return Promise.resolve();
  }
}

/** Gives parts of a buffer, without a copy. */
class MemoryReader {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #given = 0;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#given === this.#bytes.length;
  }

  read(maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.isAtEnd) return Promise.resolve(undefined);
    const part = this.#bytes.subarray(this.#given, this.#given + maxBytes);
    this.#given += part.length;
    return Promise.resolve(part);
  }

  close(): void {}
}
