/**
 * Gives the bytes of a file.
 *
 * @module
 */

/** Reads a file from its beginning to its end, as it was when it was opened. */
export class FileReader {
  readonly #file: Deno.FsFile;
  readonly #size: number;
  #given = 0;
  #isOpen = true;

  /**
   * Reads nothing yet.
   *
   * @param file An open file; closed by {@linkcode FileReader.close}.
   * @param size How many bytes it has.
   */
  constructor(file: Deno.FsFile, size: number) {
    this.#file = file;
    this.#size = size;
  }

  /** Whether all bytes were given. */
  get isAtEnd(): boolean {
    return this.#given === this.#size;
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
    const buffer = new Uint8Array(Math.min(maxBytes, this.#size - this.#given));
    const count = await this.#file.read(buffer);
    if (count === null) throw new Error(`File ended after ${this.#given} of ${this.#size} bytes`);
    this.#given += count;
    return buffer.subarray(0, count);
  }

  /** Lets go of the file; may be called again. */
  close(): void {
    if (this.#isOpen) this.#file.close();
    this.#isOpen = false;
  }
}
