/**
 * Firmware kept in a folder: an OCI image layout per device, whose blobs are links to a store that
 * holds each content once. Fits the port that the domain asks for (`FirmwareStore`).
 *
 * ```
 * <folder>/<device>/{oci-layout,index.json,blobs/<algorithm>/<hex>}
 * <folder>/.otaflux/{lock,drafts/,blobs/<sha256>}
 * ```
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
 * @module
 */

import { isServiceError } from "../errors.ts";
import { logger } from "../log.ts";
import { type Digest, isDigest } from "../oci.ts";
import { type BlobDraft, Blobs } from "./blobs.ts";
import type { FileReader } from "./file_reader.ts";
import { isMissing, readNote, removeIfThere, storing, syncFolder, writeWhole } from "../files.ts";
import { lockFile } from "./lock.ts";
import {
  formatIndex,
  type KeptIndex,
  parseIndex,
  type StoredFirmware,
  type StoredRecord,
} from "./record.ts";

const log = logger("store");

/** What is no layout lies in here. No repository name begins with a dot, so no device is so called. */
export const OWN_FOLDER = ".otaflux";

/** Folders of a layout's blobs. */
const ALGORITHMS = ["sha256", "sha512"] as const;

/** Options of {@linkcode DiskStore.open}. */
export interface DiskStoreOptions {
  /** The folder. */
  readonly directory: string;
  /** The most bytes of all blobs together. */
  readonly maxBytes: number;
}

/** Keeps firmware over restarts. */
export class DiskStore implements Disposable {
  /** A layout is whole only with the layer that the manifest names. */
  readonly keepsLayers = true;
  readonly #directory: string;
  readonly #lock: Deno.FsFile;
  /** Layers other than the firmware in them, by the firmware: they are used together. */
  readonly #layers = new Map<string, string>();
  /** What is under way in each layout: one thing after the other. */
  readonly #turns = new Map<string, Promise<unknown>>();
  #blobs!: Blobs;

  private constructor(directory: string, lock: Deno.FsFile) {
    this.#directory = directory;
    this.#lock = lock;
  }

  /**
   * Takes a folder over.
   *
   * @param options Which, and how much it may hold.
   * @returns The store.
   * @throws {ServiceError} `storage-failed` where it cannot be written, or another process has it.
   */
  static async open({ directory, maxBytes }: DiskStoreOptions): Promise<DiskStore> {
    const own = `${directory}/${OWN_FOLDER}`;
    return await storing(async () => {
      await Deno.mkdir(own, { recursive: true });
      const lock = await lockFile(`${own}/lock`, directory);
      try {
        const store = new DiskStore(directory, lock);
        store.#blobs = await Blobs.open({
          directory: `${own}/blobs`,
          drafts: `${own}/drafts`,
          maxBytes,
          release: (sha256) => store.#release(sha256),
        });
        return store;
      } catch (error) {
        lock.close();
        throw error;
      }
    });
  }

  /** How many bytes are kept. */
  get bytes(): number {
    return this.#blobs.bytes;
  }

  /** Gives the folder free. */
  [Symbol.dispose](): void {
    this.#lock.close();
  }

  /**
   * Begins to take a content's bytes.
   *
   * @returns Takes them.
   * @throws {ServiceError} `storage-failed`
   */
  draft(): Promise<BlobDraft> {
    return this.#blobs.draft();
  }

  /**
   * Opens a content.
   *
   * @param sha256 In hex.
   * @returns Gives its bytes, verified; undefined where they are not there, or were changed.
   */
  open(sha256: string): Promise<FileReader | undefined> {
    const layer = this.#layers.get(sha256);
    if (layer !== undefined) this.#blobs.touch(layer);
    return this.#blobs.open(sha256);
  }

  /**
   * Reads what is known of a device.
   *
   * @param device A device id.
   * @returns Its firmware, when that was written down, and verified under which policy; undefined
   * where there is none whole.
   */
  async load(
    device: string,
  ): Promise<
    { firmware: StoredFirmware; savedAt: Date; policy: string | undefined } | undefined
  > {
    const path = `${this.#layout(device)}/index.json`;
    try {
      const { mtime } = await Deno.stat(path);
      const index = parseIndex(await readNote(path));
      if (index === undefined) return undefined;
      const { layer, policy, ...firmware } = index;
      if (!this.#blobs.has(firmware.sha256)) {
        // A copy of a folder may have lost what its files had in common.
        await this.#blobs.adopt(
          firmware.sha256,
          `${this.#layout(device)}/blobs/sha256/${firmware.sha256}`,
        );
      }
      if (layer !== undefined) this.#layers.set(firmware.sha256, layer);
      return { firmware, savedAt: mtime ?? new Date(0), policy };
    } catch (error) {
      if (isMissing(error)) return undefined;
      log.warn("Cannot read what is known of a device", { device, reason: String(error) });
      return undefined;
    }
  }

  /**
   * Writes down what a device is served. Its content was stored before: first the layout's blobs,
   * then the index that names them, so that there is never a name without content.
   *
   * @param device A device id.
   * @param record What is kept of it.
   * @returns Whether it was written: not where its content had to go before.
   * @throws {ServiceError} `storage-failed`
   */
  async save(device: string, record: StoredRecord): Promise<boolean> {
    const { firmware, layer } = record;
    try {
      await storing(() => this.#inTurn(device, () => this.#write(device, record)));
    } catch (error) {
      if (isServiceError(error, "storage-failed") && isMissing(error.cause)) return false;
      throw error;
    }
    const blobs = [layer.sha256 ?? firmware.sha256, firmware.sha256];
    if (blobs[0] !== firmware.sha256) this.#layers.set(firmware.sha256, blobs[0] ?? "");
    await this.#blobs.settle(blobs);
    return true;
  }

  /**
   * Forgets a device.
   *
   * @param device A device id.
   */
  async remove(device: string): Promise<void> {
    await this.#inTurn(device, () => this.#clear(device));
  }

  async #write(
    device: string,
    { firmware, documents, layer, policy }: StoredRecord,
  ): Promise<void> {
    const [top] = documents;
    if (top === undefined) throw new TypeError("A record has at least one document");
    const wanted = new Set<string>();
    for (const { digest, bytes } of documents) {
      const path = await this.#blobPath(device, digest);
      await this.#writeFile(path, bytes);
      wanted.add(path);
    }
    wanted.add(await this.#link(device, layer.digest, layer.sha256));
    wanted.add(await this.#link(device, `sha256:${firmware.sha256}`, firmware.sha256));
    const folder = this.#layout(device);
    for (const algorithm of ALGORITHMS) await syncFolder(`${folder}/blobs/${algorithm}`);
    await this.#writeFile(`${folder}/oci-layout`, `{"imageLayoutVersion":"1.0.0"}`);
    await this.#writeFile(`${folder}/index.json`, formatIndex(firmware, { top, layer, policy }));
    await syncFolder(folder);
    await this.#sweep(device, wanted);
  }

  async #clear(device: string): Promise<void> {
    const folder = this.#layout(device);
    // The index first: it must not name what is no longer there.
    await removeIfThere(`${folder}/index.json`);
    await removeIfThere(`${folder}/oci-layout`);
    await this.#sweep(device, new Set());
  }

  /** Two that write one layout at once would sweep away what the other has just written. */
  async #inTurn<T>(device: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(device);
    const turn = Promise.allSettled([before]).then(work);
    this.#turns.set(device, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(device) === turn) this.#turns.delete(device);
    }
  }

  #layout(device: string): string {
    return `${this.#directory}/${device}`;
  }

  /** A second name for the same bytes; a copy where the file system has no links. */
  async #link(device: string, digest: Digest, sha256: string | undefined): Promise<string> {
    const path = await this.#blobPath(device, digest);
    if (sha256 === undefined) {
      await Deno.stat(path);
      return path;
    }
    const blob = this.#blobs.path(sha256);
    try {
      // What stands under that name may be of a file that was changed since.
      if ((await Deno.stat(blob)).ino !== await inodeOf(path)) await removeIfThere(path);
      await Deno.link(blob, path);
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) return path;
      if (isMissing(error)) throw error;
      await Deno.copyFile(blob, path);
    }
    return path;
  }

  async #blobPath(device: string, digest: Digest): Promise<string> {
    const blobs = `${this.#layout(device)}/blobs`;
    for (const algorithm of ALGORITHMS) {
      await Deno.mkdir(`${blobs}/${algorithm}`, { recursive: true });
    }
    return `${blobs}/${digest.replace(":", "/")}`;
  }

  #writeFile(path: string, content: Uint8Array | string): Promise<void> {
    return writeWhole(
      path,
      content,
      `${this.#directory}/${OWN_FOLDER}/drafts/${crypto.randomUUID()}`,
    );
  }

  /** Removes the blobs of a layout that are not wanted. What is below may belong to another device. */
  async #sweep(device: string, wanted: ReadonlySet<string>): Promise<void> {
    for (const algorithm of ALGORITHMS) {
      const folder = `${this.#layout(device)}/blobs/${algorithm}`;
      try {
        for await (const { name, isFile } of Deno.readDir(folder)) {
          const path = `${folder}/${name}`;
          if (isFile && isDigest(`${algorithm}:${name}`) && !wanted.has(path)) {
            await Deno.remove(path);
          }
        }
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    }
  }

  /** Looks through all layouts: it is rare that a firmware in use has to go. */
  async #release(sha256: string): Promise<void> {
    for await (const device of this.#devices("")) {
      await this.#inTurn(device, async () => {
        const index = await this.#readIndex(device);
        // Without its layer a layout would name what is not there.
        if (index?.sha256 === sha256 || index?.layer === sha256) await this.#clear(device);
        else await removeIfThere(`${this.#layout(device)}/blobs/sha256/${sha256}`);
      });
    }
    this.#layers.delete(sha256);
  }

  async #readIndex(device: string): Promise<KeptIndex | undefined> {
    try {
      return parseIndex(await readNote(`${this.#layout(device)}/index.json`));
    } catch {
      // Whatever stands there names nothing.
      return undefined;
    }
  }

  /** All devices that have a layout, also those below others' names. */
  async *#devices(parent: string): AsyncGenerator<string> {
    for await (const { name, isDirectory } of Deno.readDir(`${this.#directory}/${parent}`)) {
      if (!isDirectory || name === OWN_FOLDER) continue;
      const device = parent === "" ? name : `${parent}/${name}`;
      yield device;
      yield* this.#devices(device);
    }
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
