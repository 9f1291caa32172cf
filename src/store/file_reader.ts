/**
 * Gives the bytes of a file.
 *
 * @module
 */

/** Reads a file, or a part of it, as it was when it was opened. */
export class FileReader {
  readonly #file: Deno.FsFile;
  #at = 0;
  #end: number;
  #isOpen = true;

  /**
   * Reads nothing yet.
   *
   * @param file An open file; closed by {@linkcode FileReader.close}.
   * @param size How many bytes it has.
   */
  constructor(file: Deno.FsFile, size: number) {
    this.#file = file;
    this.#end = size;
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
    this.#file.seekSync(start, Deno.SeekMode.Start);
    this.#at = start;
    this.#end = end;
  }

  /**
   * Reads on.
   *
   * @param maxBytes The most bytes to give.
   * @returns The next bytes; undefined at the end.
   * @throws {Error} The disk fails, or somebody has cut the file.
   */
  async read(maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.isAtEnd) return undefined;
    const buffer = new Uint8Array(Math.min(maxBytes, this.#end - this.#at));
    const count = await this.#file.read(buffer);
    if (count === null) throw new Error(`File ended at byte ${this.#at}, before ${this.#end}`);
    this.#at += count;
    return buffer.subarray(0, count);
  }

  /** Lets go of the file; may be called again. */
  close(): void {
    if (this.#isOpen) this.#file.close();
    this.#isOpen = false;
  }
}
