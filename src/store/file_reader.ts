/**
 * Gives the bytes of a file.
 *
 * @module
 */

import { BLOCK_BYTES, type BlockCache } from "./block_cache.ts";

/** What {@linkcode FileReader} reads. */
export interface FileReaderOptions {
  /** An open file; closed by {@linkcode FileReader.close}. */
  readonly file: Deno.FsFile;
  /** How many bytes it has. */
  readonly size: number;
  /** Names its content, verified, and this state of it: others are given what is read here. */
  readonly content: string;
  /** Keeps what was read. */
  readonly blocks: BlockCache;
}

/** Reads a file, or a part of it, as it was when it was opened. */
export class FileReader {
  readonly #options: FileReaderOptions;
  readonly #readsBlocks: boolean;
  #at = 0;
  #end: number;
  #isOpen = true;

  /**
   * Reads nothing yet.
   *
   * @param options What it reads.
   */
  constructor(options: FileReaderOptions) {
    this.#options = options;
    this.#readsBlocks = options.blocks.enter();
    this.#end = options.size;
  }

  /** Whether all bytes were given. */
  get isAtEnd(): boolean {
    return this.#at === this.#end;
  }

  /**
   * Goes on with a part, and ends behind it.
   *
   * @param range From which byte to which; within the file.
   */
  seek({ start, end }: { readonly start: number; readonly end: number }): void {
    this.#at = start;
    this.#end = end;
  }

  /**
   * Reads on.
   *
   * @param maxBytes The most bytes to give.
   * @returns The next bytes, which nobody may change; undefined at the end.
   * @throws {Error} The disk fails, or somebody has cut the file.
   */
  async read(maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.isAtEnd) return undefined;
    const { content, size, blocks } = this.#options;
    const index = Math.floor(this.#at / BLOCK_BYTES);
    const blockStart = index * BLOCK_BYTES;
    const blockEnd = Math.min(blockStart + BLOCK_BYTES, size);
    const [start, end] = [this.#at, Math.min(this.#at + maxBytes, blockEnd, this.#end)];
    let block = blocks.get(content, index);
    if (block === undefined && this.#readsBlocks) {
      block = await this.#read(blockStart, blockEnd);
      blocks.set(content, index, block);
    }
    const part = block?.subarray(start - blockStart, end - blockStart) ??
      await this.#read(start, end);
    this.#at = end;
    return part;
  }

  /** Lets go of the file; may be called again. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#options.file.close();
    this.#options.blocks.leave();
  }

  async #read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    const { file } = this.#options;
    const bytes = new Uint8Array(end - start);
    file.seekSync(start, Deno.SeekMode.Start);
    for (let filled = 0; filled < bytes.length;) {
      const count = await file.read(bytes.subarray(filled));
      if (count === null) throw new Error(`File ended at byte ${start + filled}, before ${end}`);
      filled += count;
    }
    return bytes;
  }
}
