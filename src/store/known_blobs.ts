/**
 * What is known of the files of blobs, without looking at them.
 *
 * @module
 */

/**
 * What was just stored has to stay until whoever stored it has linked it, in milliseconds: between
 * the two is nothing but the writing of small files. What nobody links may go after that.
 */
const FRESH_MS = 10_000;

/** What a file looked like when its content was last known to be right. */
interface KnownBlob {
  readonly size: number;
  readonly modifiedMs: number;
  readonly inode: number | null;
  /** Whether this process has hashed it, or written it. */
  readonly isVerified: boolean;
}

/** Remembers blobs in the order of their use, and how many bytes they are. */
export class KnownBlobs {
  readonly #now: () => number;
  /** In the order of use. */
  readonly #known = new Map<string, KnownBlob>();
  /** When each blob was stored that was not settled since. */
  readonly #freshSinceMs = new Map<string, number>();
  #bytes = 0;

  /**
   * Knows nothing yet.
   *
   * @param now A steady clock in milliseconds. @default performance.now
   */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** How many bytes all of them are. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Tells whether a blob is known.
   *
   * @param sha256 In hex.
   * @returns Whether it is.
   */
  has(sha256: string): boolean {
    return this.#known.has(sha256);
  }

  /**
   * All blobs.
   *
   * @returns Their SHA-256 in hex, the least recently used first.
   */
  byUse(): readonly string[] {
    return [...this.#known.keys()];
  }

  /**
   * Notes what the file of a blob looks like now, and that it was used.
   *
   * @param sha256 In hex.
   * @param status Of the file.
   * @param options Whether its content is known to be right.
   */
  learn(
    sha256: string,
    { size, mtime, ino }: Deno.FileInfo,
    { isVerified }: { readonly isVerified: boolean },
  ): void {
    this.forget(sha256);
    this.#known.set(sha256, { size, modifiedMs: mtime?.getTime() ?? 0, inode: ino, isVerified });
    this.#bytes += size;
  }

  /**
   * Forgets a blob.
   *
   * @param sha256 In hex.
   */
  forget(sha256: string): void {
    this.#bytes -= this.#known.get(sha256)?.size ?? 0;
    this.#known.delete(sha256);
  }

  /**
   * Counts a blob as used now.
   *
   * @param sha256 In hex.
   */
  touch(sha256: string): void {
    const known = this.#known.get(sha256);
    if (known === undefined) return;
    this.#known.delete(sha256);
    this.#known.set(sha256, known);
  }

  /**
   * Tells whether a file still is what was found to be right.
   *
   * @param sha256 In hex.
   * @param status Of the file, now.
   * @returns Whether it needs not be hashed.
   */
  isUnchanged(sha256: string, { isFile, size, mtime, ino }: Deno.FileInfo): boolean {
    const known = this.#known.get(sha256);
    return isFile && known !== undefined && known.isVerified && known.size === size &&
      known.modifiedMs === mtime?.getTime() && known.inode === ino;
  }

  /**
   * Notes that a blob was just stored: it has to stay until it is linked.
   *
   * @param sha256 In hex.
   */
  markFresh(sha256: string): void {
    this.#freshSinceMs.set(sha256, this.#now());
  }

  /**
   * Notes that a blob is linked: it need not be fresh any more.
   *
   * @param sha256 In hex.
   */
  settle(sha256: string): void {
    this.#freshSinceMs.delete(sha256);
  }

  /**
   * Tells whether a blob was just stored, and is not linked yet.
   *
   * @param sha256 In hex.
   * @returns Whether it has to stay.
   */
  isFresh(sha256: string): boolean {
    const sinceMs = this.#freshSinceMs.get(sha256) ?? -Infinity;
    if (this.#now() - sinceMs < FRESH_MS) return true;
    this.#freshSinceMs.delete(sha256);
    return false;
  }
}
