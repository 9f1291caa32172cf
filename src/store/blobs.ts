/**
 * A content-addressed store of files: a name is the SHA-256 of what it holds.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { describeError } from "../errors.ts";
import { isMissing, makeFolder, removeIfThere, storing, syncFolder, writeAll } from "../files.ts";
import { logger } from "../log.ts";
import { SingleFlight } from "../single_flight.ts";
import { BlockCache } from "./block_cache.ts";
import { FileReader } from "./file_reader.ts";
import { KnownBlobs } from "./known_blobs.ts";
import { MemoryReader } from "./memory.ts";

const log = logger("store");

/** How much it matters that a blob goes. */
export interface ReleaseOptions {
  /** Whether it may stay for now where its references cannot be taken away: it is only too much. */
  readonly mayStay: boolean;
}

/** Options of {@linkcode Blobs.open}. */
export interface BlobsOptions {
  /** The folder of the blobs; made where it is missing. */
  readonly directory: string;
  /** A folder on the same file system for files that are not complete; emptied. */
  readonly drafts: string;
  /** The most bytes of all blobs together. */
  readonly maxBytes: number;
  /**
   * Called before a blob has to go that something refers to: takes the references away, or throws
   * where it cannot, and may.
   */
  readonly release: (sha256: string, options: ReleaseOptions) => Promise<void>;
  /** Told of each blob that has to go because there are too many bytes. @default nobody */
  readonly onEviction?: (() => void) | undefined;
}

/** Takes the bytes of one blob into a file. */
export interface BlobDraft {
  /** Appends bytes. */
  write(chunk: Uint8Array): Promise<void>;
  /** Makes the file durable under its name. */
  commit(sha256: string): Promise<void>;
  /** Leaves nothing behind. */
  discard(): Promise<void>;
}

/** Keeps a bounded number of bytes in files; the least recently used go first. */
export class Blobs {
  readonly #options: BlobsOptions;
  readonly #known = new KnownBlobs();
  readonly #verifications = new SingleFlight<boolean>();
  readonly #blocks = new BlockCache();
  #drafts = 0;

  private constructor(options: BlobsOptions) {
    this.#options = options;
  }

  /**
   * Takes over a folder, and clears what an earlier process left unfinished or unreferenced.
   *
   * @param options Where, and how much.
   * @returns The store.
   */
  static async open(options: BlobsOptions): Promise<Blobs> {
    const blobs = new Blobs(options);
    await removeIfThere(options.drafts);
    await makeFolder(options.drafts);
    await makeFolder(options.directory);
    blobs.#takeOver();
    return blobs;
  }

  /** How many bytes are kept. */
  get bytes(): number {
    return this.#known.bytes;
  }

  /**
   * The file of a blob, whether it is there or not.
   *
   * @param sha256 In hex.
   * @returns Its path.
   */
  path(sha256: string): string {
    return `${this.#options.directory}/${sha256}`;
  }

  /**
   * Tells whether a blob is there. Its content is not looked at.
   *
   * @param sha256 In hex.
   * @returns Whether it is.
   */
  has(sha256: string): boolean {
    return this.#known.has(sha256);
  }

  /**
   * Begins a blob.
   *
   * @returns Takes its bytes.
   * @throws {ServiceError} `storage-failed`
   */
  async draft(): Promise<BlobDraft> {
    const path = `${this.#options.drafts}/${++this.#drafts}`;
    const file = await storing(() => Deno.open(path, { write: true, createNew: true }));
    let isOpen = true;
    const close = (): void => {
      if (isOpen) file.close();
      isOpen = false;
    };
    return {
      write: (chunk) => storing(() => writeAll(file, chunk)),
      commit: async (sha256) => {
        await storing(async () => {
          await file.sync();
          close();
          this.#place(path, sha256);
          await syncFolder(this.#options.directory);
        });
        await this.#makeRoom();
      },
      discard: async () => {
        close();
        await removeIfThere(path);
      },
    };
  }

  /**
   * Opens a blob. The first time in a process, and whenever the file has changed since, its content
   * is hashed before: what was altered behind our back is removed, not served, and so is what cannot
   * be read.
   *
   * @param sha256 In hex.
   * @returns Gives the bytes, to be closed; undefined where they are not there.
   * @throws {ServiceError} `storage-failed` where they neither can be read nor removed.
   */
  async open(sha256: string): Promise<FileReader | MemoryReader | undefined> {
    let found: Deno.FileInfo | undefined;
    try {
      // The system has what it needs for this in memory: a thread for it would take five times as
      // long.
      found = Deno.lstatSync(this.path(sha256));
      const isUnchanged = this.#known.isUnchanged(sha256, found);
      const whole = isUnchanged ? this.#blocks.get(stateOf(sha256, found), 0) : undefined;
      if (whole?.length === found.size) {
        this.touch(sha256);
        return new MemoryReader(whole);
      }
      // Whoever comes at once after a start shares one verification.
      const isIntact = isUnchanged ||
        await this.#verifications.join(sha256, () => this.#verify(sha256));
      if (!isIntact) return undefined;
      const file = Deno.openSync(this.path(sha256), { read: true });
      // It may have been replaced since it was looked at: what is sent is what was opened.
      const status = file.statSync();
      if (!this.#known.isUnchanged(sha256, status)) {
        file.close();
        return await this.open(sha256);
      }
      this.touch(sha256);
      const content = stateOf(sha256, status);
      return new FileReader({ file, size: status.size, content, blocks: this.#blocks });
    } catch (error) {
      if (isMissing(error)) this.#known.forget(sha256);
      // In a folder that cannot be looked into, nothing can be told of the file.
      else if (error instanceof Deno.errors.PermissionDenied && found !== undefined) {
        log.error("Firmware cannot be read, removing it", { sha256, reason: error.message });
        await storing(() => this.#remove(sha256, { mayStay: false }));
      } else await storing(() => Promise.reject(error));
      return undefined;
    }
  }

  /**
   * Counts a blob as used now.
   *
   * @param sha256 In hex.
   */
  touch(sha256: string): void {
    this.#known.touch(sha256);
  }

  /**
   * Takes in a file from elsewhere on the same file system. It is verified before it is served.
   *
   * @param sha256 What it should be, in hex.
   * @param path The file; it stays where it is.
   * @throws {Deno.errors.NotFound} Where it is not there.
   */
  async adopt(sha256: string, path: string): Promise<void> {
    await Deno.link(path, this.path(sha256));
    this.#known.learn(sha256, Deno.statSync(this.path(sha256)), { isVerified: false });
    await this.#makeRoom();
  }

  /**
   * Tells that blobs are linked: from now on they may go as others do, but not before others.
   *
   * @param blobs Their SHA-256, in hex.
   */
  async settle(blobs: readonly string[]): Promise<void> {
    await this.#makeRoom();
    for (const sha256 of blobs) this.#known.settle(sha256);
  }

  /** Removes a blob with what refers to it. Whoever reads it at the moment reads on. */
  async #remove(sha256: string, options: ReleaseOptions): Promise<void> {
    await this.#options.release(sha256, options);
    await removeIfThere(this.path(sha256));
    this.#known.forget(sha256);
  }

  /** Synchronous, since nothing can be answered before: ten thousand files take a tenth of a second. */
  #takeOver(): void {
    const found: [sha256: string, status: Deno.FileInfo][] = [];
    for (const { name } of Deno.readDirSync(this.#options.directory)) {
      const status = Deno.lstatSync(this.path(name));
      // A layout holds a second link to each blob that it needs. What is no file is none of ours.
      if (status.isFile && status.nlink !== 1) found.push([name, status]);
      else Deno.removeSync(this.path(name), { recursive: true });
    }
    const modified = ({ mtime }: Deno.FileInfo): number => mtime?.getTime() ?? 0;
    found.sort(([, a], [, b]) => modified(a) - modified(b));
    for (const [sha256, status] of found) this.#known.learn(sha256, status, { isVerified: false });
  }

  /**
   * Gives a draft its name. Synchronous, so that two who store the same at once store it once: those
   * who have linked the first one's file must not lose it from the store.
   */
  #place(draft: string, sha256: string): void {
    const path = this.path(sha256);
    if (this.#isThere(sha256)) Deno.removeSync(draft);
    else this.#replace(draft, path);
    this.#known.learn(sha256, Deno.statSync(path), { isVerified: true });
    this.#known.markFresh(sha256);
  }

  /** A file takes any file's place, but not a folder's. */
  #replace(draft: string, path: string): void {
    try {
      Deno.renameSync(draft, path);
    } catch (error) {
      if (!(error instanceof Deno.errors.IsADirectory)) throw error;
      Deno.removeSync(path, { recursive: true });
      Deno.renameSync(draft, path);
    }
  }

  #isThere(sha256: string): boolean {
    try {
      return this.#known.isUnchanged(sha256, Deno.lstatSync(this.path(sha256)));
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  async #verify(sha256: string): Promise<boolean> {
    // To open a pipe would be to wait for who writes into it, and a link may lead to what has no end.
    if ((await Deno.lstat(this.path(sha256))).isFile) {
      const file = await Deno.open(this.path(sha256), { read: true });
      const status = file.statSync();
      if (await hashOf(file.readable) === sha256) {
        this.#known.learn(sha256, status, { isVerified: true });
        return true;
      }
    }
    log.error("Firmware was changed on disk, removing it", { sha256 });
    await this.#remove(sha256, { mayStay: false });
    return false;
  }

  async #makeRoom(): Promise<void> {
    for (const sha256 of this.#known.byUse()) {
      if (this.bytes <= this.#options.maxBytes) return;
      if (this.#known.isFresh(sha256)) continue;
      try {
        await this.#remove(sha256, { mayStay: true });
        log.info("Firmware has to go, the cache is full", { sha256 });
        this.#options.onEviction?.();
      } catch (error) {
        // The next ones may be easier to part with.
        log.debug("Firmware cannot go yet", { sha256, reason: describeError(error) });
      }
    }
  }
}

/** A file that is altered while it is read must not pass for the one that follows it. */
function stateOf(sha256: string, { ino, mtime }: Deno.FileInfo): string {
  return `${sha256} ${ino} ${mtime?.getTime()}`;
}

async function hashOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of chunks) hash.update(chunk);
  return hash.digest("hex");
}
