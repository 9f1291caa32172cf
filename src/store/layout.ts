/**
 * The OCI image layout of one device, as files: an index, and blobs that are links to content which
 * is kept elsewhere.
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
 * @module
 */

import { type Digest, isDigest } from "../digest.ts";
import {
  isFolder,
  isMissing,
  makeFolder,
  readNote,
  removeIfThere,
  syncFolder,
  writeWhole,
} from "../files.ts";
import { logger } from "../log.ts";
import { formatIndex, type KeptFirmware, parseIndex } from "./record.ts";

const log = logger("store");

/** Folders of a layout's blobs. */
const ALGORITHMS = ["sha256", "sha512"] as const;

/** Options of {@linkcode DeviceLayout}. */
export interface DeviceLayoutOptions {
  /** Its folder, in which there may also be those of other devices. */
  readonly folder: string;
  /** A folder on the same file system for files that are not complete. */
  readonly drafts: string;
}

/** Reads and writes a layout: first its blobs, then the index that names them. */
export class DeviceLayout {
  readonly #folder: string;
  readonly #drafts: string;

  /**
   * Touches no file yet.
   *
   * @param options Where it is, or is going to be.
   */
  constructor({ folder, drafts }: DeviceLayoutOptions) {
    this.#folder = folder;
    this.#drafts = drafts;
  }

  /**
   * The file of a blob, whether it is there or not.
   *
   * @param digest Its digest.
   * @returns Its path.
   */
  pathOf(digest: Digest): string {
    return `${this.#folder}/blobs/${digest.replace(":", "/")}`;
  }

  /**
   * Reads the index.
   *
   * @returns What it says; nothing where there is none.
   */
  async read(): Promise<readonly KeptFirmware[]> {
    try {
      return parseIndex(await readNote(`${this.#folder}/index.json`));
    } catch (error) {
      // What stands there names nothing; whoever comes for it is served what is fetched again.
      if (!isMissing(error)) {
        log.warn("Cannot read what is known of a device", {
          folder: this.#folder,
          reason: String(error),
        });
      }
      return [];
    }
  }

  /**
   * Clears what the index does not name: what was put in its place before an index that could not be
   * written, or by a process that was killed. Where the index cannot be read, all stays.
   *
   * @returns Whether there is an index.
   * @throws {Error} Something cannot be removed.
   */
  async tidy(): Promise<boolean> {
    let kept: readonly KeptFirmware[];
    try {
      kept = parseIndex(await readNote(`${this.#folder}/index.json`));
    } catch (error) {
      if (!isMissing(error)) return true;
      await this.#sweepAllBut([]);
      return false;
    }
    // What names nothing was damaged: an index of nothing is never written.
    if (kept.length > 0) await this.#sweepAllBut(kept);
    return true;
  }

  /**
   * Which content the layout has under its SHA-256, whether the index names it or not.
   *
   * @returns File names: in hex, where they are of ours.
   */
  async linked(): Promise<readonly string[]> {
    if (!await this.#has("sha256")) return [];
    const entries = await Array.fromAsync(Deno.readDir(this.#folderOf("sha256")));
    return entries.map(({ name }) => name);
  }

  /**
   * Writes a small blob.
   *
   * @param digest Its digest.
   * @param bytes What it holds.
   * @throws {ServiceError} `storage-failed`
   */
  async write(digest: Digest, bytes: Uint8Array): Promise<void> {
    await this.#makeFolders();
    await this.#writeFile(this.pathOf(digest), bytes);
  }

  /**
   * Makes a blob a second name for the same bytes; a copy where the file system has no links.
   *
   * @param digest Its digest.
   * @param content The file that has the bytes.
   * @throws {Deno.errors.NotFound} Where that file is not there.
   */
  async link(digest: Digest, content: string): Promise<void> {
    await this.#makeFolders();
    const path = this.pathOf(digest);
    try {
      // What stands under that name may be of a file that was changed since.
      if ((await Deno.stat(content)).ino !== await inodeOf(path)) await removeIfThere(path);
      await Deno.link(content, path);
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) return;
      if (isMissing(error)) throw error;
      await Deno.copyFile(content, path);
    }
  }

  /**
   * Makes sure that a blob is there which was written before.
   *
   * @param digest Its digest.
   * @throws {Deno.errors.NotFound} Where it is not.
   */
  async expect(digest: Digest): Promise<void> {
    await Deno.stat(this.pathOf(digest));
  }

  /**
   * Removes a blob, if it is there.
   *
   * @param digest Its digest.
   */
  async remove(digest: Digest): Promise<void> {
    const [algorithm = ""] = digest.split(":");
    if (await this.#has(algorithm)) await removeIfThere(this.pathOf(digest));
  }

  /**
   * Writes the index, and clears what it does not name.
   *
   * @param kept What it names: its blobs are there. Of nothing no layout is left.
   * @throws {ServiceError} `storage-failed`
   */
  async rewrite(kept: readonly KeptFirmware[]): Promise<void> {
    if (kept.length === 0) return await this.#clear();
    for (const algorithm of ALGORITHMS) await syncFolder(this.#folderOf(algorithm));
    await this.#writeFile(`${this.#folder}/oci-layout`, `{"imageLayoutVersion":"1.0.0"}`);
    await this.#writeFile(`${this.#folder}/index.json`, formatIndex(kept));
    await syncFolder(this.#folder);
    await this.#sweepAllBut(kept);
  }

  async #clear(): Promise<void> {
    // The index first: it must not name what is no longer there.
    await removeIfThere(`${this.#folder}/index.json`);
    await removeIfThere(`${this.#folder}/oci-layout`);
    await this.#sweepAllBut([]);
  }

  /** Removes the blobs that are not named. What is below may belong to another device. */
  async #sweepAllBut(kept: readonly KeptFirmware[]): Promise<void> {
    const blobs = kept.flatMap((one) => one.blobs);
    const wanted = new Set(blobs.map((digest) => this.pathOf(digest)));
    for (const algorithm of ALGORITHMS) {
      if (!await this.#has(algorithm)) continue;
      const folder = this.#folderOf(algorithm);
      for await (const { name, isFile } of Deno.readDir(folder)) {
        const path = `${folder}/${name}`;
        if (isFile && isDigest(`${algorithm}:${name}`) && !wanted.has(path)) {
          await Deno.remove(path);
        }
      }
    }
  }

  async #makeFolders(): Promise<void> {
    for (const algorithm of ALGORITHMS) {
      for (const each of [`${this.#folder}/blobs`, this.#folderOf(algorithm)]) {
        await makeFolder(each);
      }
    }
  }

  #folderOf(algorithm: string): string {
    return `${this.#folder}/blobs/${algorithm}`;
  }

  /** A link in its place leads to blobs of others, which are not ours to clear. */
  async #has(algorithm: string): Promise<boolean> {
    return await isFolder(`${this.#folder}/blobs`) && await isFolder(this.#folderOf(algorithm));
  }

  #writeFile(path: string, content: Uint8Array | string): Promise<void> {
    return writeWhole(path, content, `${this.#drafts}/${crypto.randomUUID()}`);
  }
}

async function inodeOf(path: string): Promise<number | null | undefined> {
  try {
    return (await Deno.stat(path)).ino;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
