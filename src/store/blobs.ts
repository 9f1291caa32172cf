/**
 * A content-addressed store of files: a name is the SHA-256 of what it holds.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { logger } from "../log.ts";
import { FileReader } from "./file_reader.ts";
import { isMissing, removeIfThere, storing, syncFolder, writeAll } from "./files.ts";

const log = logger("store");

/** What a file looked like when its content was last known to be right. */
interface KnownBlob {
  readonly size: number;
  readonly modifiedMs: number;
  readonly inode: number | null;
  /** Whether this process has hashed it, or written it. */
  readonly isVerified: boolean;
}

/** Options of {@linkcode Blobs.open}. */
export interface BlobsOptions {
  /** The folder of the blobs; made where it is missing. */
  readonly directory: string;
  /** A folder on the same file system for files that are not complete; emptied. */
  readonly drafts: string;
  /** The most bytes of all blobs together. */
  readonly maxBytes: number;
  /** Called before a blob has to go that something refers to: takes the references away. */
  readonly release: (sha256: string) => Promise<void>;
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
  /** In the order of use. */
  readonly #known = new Map<string, KnownBlob>();
  #bytes = 0;
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
    await Deno.mkdir(options.drafts, { recursive: true });
    await Deno.mkdir(options.directory, { recursive: true });
    blobs.#takeOver();
    return blobs;
  }

  /** How many bytes are kept. */
  get bytes(): number {
    return this.#bytes;
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
          await Deno.rename(path, this.path(sha256));
          await syncFolder(this.#options.directory);
        });
        this.#learn(sha256, Deno.statSync(this.path(sha256)), { isVerified: true });
        await this.#makeRoom(sha256);
      },
      discard: async () => {
        close();
        await removeIfThere(path);
      },
    };
  }

  /**
   * Opens a blob. The first time in a process, and whenever the file has changed since, its content
   * is hashed before: what was altered behind our back is removed, not served.
   *
   * @param sha256 In hex.
   * @returns Gives the bytes, to be closed; undefined where they are not there.
   */
  async open(sha256: string): Promise<FileReader | undefined> {
    try {
      const file = await Deno.open(this.path(sha256), { read: true });
      try {
        const status = await file.stat();
        if (await this.#isIntact(sha256, status)) return new FileReader(file, status.size);
      } catch (error) {
        file.close();
        throw error;
      }
      file.close();
      log.error("Firmware was changed on disk, removing it", { sha256 });
      await this.remove(sha256);
      return undefined;
    } catch (error) {
      if (!isMissing(error)) throw error;
      this.#forget(sha256);
      return undefined;
    }
  }

  /**
   * Removes a blob with what refers to it. Whoever reads it at the moment reads on.
   *
   * @param sha256 In hex.
   */
  async remove(sha256: string): Promise<void> {
    await this.#options.release(sha256);
    await removeIfThere(this.path(sha256));
    this.#forget(sha256);
  }

  /** Synchronous, since nothing can be answered before: ten thousand files take a tenth of a second. */
  #takeOver(): void {
    const found: [sha256: string, status: Deno.FileInfo][] = [];
    for (const { name } of Deno.readDirSync(this.#options.directory)) {
      const status = Deno.statSync(this.path(name));
      // A layout holds a second link to each blob that it needs.
      if (status.nlink === 1) Deno.removeSync(this.path(name));
      else found.push([name, status]);
    }
    const modified = ({ mtime }: Deno.FileInfo): number => mtime?.getTime() ?? 0;
    found.sort(([, a], [, b]) => modified(a) - modified(b));
    for (const [sha256, status] of found) this.#learn(sha256, status, { isVerified: false });
  }

  async #isIntact(sha256: string, status: Deno.FileInfo): Promise<boolean> {
    const known = this.#known.get(sha256);
    const isUnchanged = known?.isVerified && known.size === status.size &&
      known.modifiedMs === status.mtime?.getTime() && known.inode === status.ino;
    if (!isUnchanged && await hashFile(this.path(sha256)) !== sha256) return false;
    this.#learn(sha256, status, { isVerified: true });
    return true;
  }

  #learn(
    sha256: string,
    { size, mtime, ino }: Deno.FileInfo,
    { isVerified }: { readonly isVerified: boolean },
  ): void {
    this.#forget(sha256);
    this.#known.set(sha256, { size, modifiedMs: mtime?.getTime() ?? 0, inode: ino, isVerified });
    this.#bytes += size;
  }

  #forget(sha256: string): void {
    this.#bytes -= this.#known.get(sha256)?.size ?? 0;
    this.#known.delete(sha256);
  }

  async #makeRoom(justStored: string): Promise<void> {
    for (const sha256 of [...this.#known.keys()]) {
      if (this.#bytes <= this.#options.maxBytes) return;
      if (sha256 === justStored) continue;
      log.info("Firmware has to go, the cache is full", { sha256 });
      await this.remove(sha256);
    }
  }
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  const file = await Deno.open(path, { read: true });
  for await (const chunk of file.readable) hash.update(chunk);
  return hash.digest("hex");
}
