/**
 * The disk of the cache folder, which somebody else fills.
 *
 * @module
 */

import { cannotMount, mountSmallDisk } from "../helpers/small_disk.ts";

/** Enough for what is kept and what was replaced, and quickly filled. */
const DISK_SIZE = "256m";

const LARGEST_WRITE_BYTES = 1024 * 1024;

/** What is left free in the end is less than a page. */
const SMALLEST_WRITE_BYTES = 1024;

/** A disk of its own where one can be mounted; else a folder that cannot be filled. */
export class Disk implements AsyncDisposable {
  readonly #mount: AsyncDisposable | undefined;
  readonly #root: string;
  #isFull = false;
  #lastFullMs = -Infinity;

  private constructor(root: string, mount: AsyncDisposable | undefined) {
    this.#root = root;
    this.#mount = mount;
  }

  /** Makes one. */
  static async make(): Promise<Disk> {
    const root = await Deno.makeTempDir({ prefix: "otaflux-soak-" });
    return new Disk(root, cannotMount ? undefined : await mountSmallDisk(root, DISK_SIZE));
  }

  /** Where the service keeps its firmware. */
  get folder(): string {
    return `${this.#root}/cache`;
  }

  /** Whether it can be filled at all. */
  get canBeFilled(): boolean {
    return this.#mount !== undefined;
  }

  /** Takes all that is free. */
  async fill(): Promise<void> {
    this.#isFull = true;
    using file = await Deno.open(this.#ballast, { create: true, write: true });
    for (let size = LARGEST_WRITE_BYTES; size >= SMALLEST_WRITE_BYTES;) {
      try {
        await file.write(new Uint8Array(size));
      } catch {
        size /= 2;
      }
    }
  }

  /** Gives it back. */
  async empty(): Promise<void> {
    await Deno.remove(this.#ballast);
    this.#isFull = false;
    this.#lastFullMs = performance.now();
  }

  /** Whether it was full at any time since. */
  wasFull({ sinceMs }: { readonly sinceMs: number }): boolean {
    return this.#isFull || this.#lastFullMs >= sinceMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#mount?.[Symbol.asyncDispose]();
    await Deno.remove(this.#root, { recursive: true });
  }

  get #ballast(): string {
    return `${this.#root}/ballast`;
  }
}
