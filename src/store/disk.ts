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

import * as v from "valibot";
import { ServiceError } from "../errors.ts";
import { logger } from "../log.ts";
import { type Digest, isDigest, REF_NAME_ANNOTATION } from "../oci.ts";
import { type BlobDraft, Blobs } from "./blobs.ts";
import type { FileReader } from "./file_reader.ts";
import { isMissing, removeIfThere, storing, syncFolder, writeWhole } from "./files.ts";

const log = logger("store");

/** No repository name begins with a dot, so no device is called like this. */
const OWN_FOLDER = ".otaflux";

/** What we note beside the tag in `index.json`: the firmware's checksums. */
const FIRMWARE_ANNOTATION = "dev.otaflux.firmware";

/** How long the lock of another process is waited for, in milliseconds: it may just be ending. */
const LOCK_WAIT_MS = 2000;

const firmwareSchema = v.object({
  version: v.string(),
  size: v.pipe(v.number(), v.safeInteger()),
  crc32: v.pipe(v.number(), v.safeInteger()),
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
});

const indexSchema = v.object({
  manifests: v.tuple([v.object({
    digest: v.custom<Digest>((text) => typeof text === "string" && isDigest(text)),
    annotations: v.record(v.string(), v.string()),
  })]),
});

/** A device's firmware, as it is written down. */
export interface StoredFirmware {
  readonly tag: string;
  readonly version: string;
  readonly digest: Digest;
  readonly size: number;
  readonly crc32: number;
  readonly sha256: string;
}

/** A manifest or index. */
export interface StoredDocument {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** What is kept of a device. */
export interface StoredRecord {
  readonly firmware: StoredFirmware;
  /** Manifest, or index and manifest: the first one is what the tag points to. */
  readonly documents: readonly StoredDocument[];
  /** The layer, and the SHA-256 that it is stored under. */
  readonly layer: { readonly digest: Digest; readonly sha256: string };
}

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
      const store = new DiskStore(directory, await lockFile(`${own}/lock`, directory));
      store.#blobs = await Blobs.open({
        directory: `${own}/blobs`,
        drafts: `${own}/drafts`,
        maxBytes,
        release: (sha256) => store.#release(sha256),
      });
      return store;
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
    return this.#blobs.open(sha256);
  }

  /**
   * Reads what is known of a device.
   *
   * @param device A device id.
   * @returns Its firmware, and when that was written down; undefined where there is none whole.
   */
  async load(device: string): Promise<{ firmware: StoredFirmware; savedAt: Date } | undefined> {
    const path = `${this.#layout(device)}/index.json`;
    try {
      const { mtime } = await Deno.stat(path);
      const firmware = parseIndex(await Deno.readTextFile(path));
      if (firmware === undefined || !this.#blobs.has(firmware.sha256)) return undefined;
      return { firmware, savedAt: mtime ?? new Date(0) };
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
   * @throws {ServiceError} `storage-failed`
   */
  async save(device: string, { firmware, documents, layer }: StoredRecord): Promise<void> {
    const [top] = documents;
    if (top === undefined) throw new TypeError("A record has at least one document");
    await storing(async () => {
      const wanted = new Set<string>();
      for (const { digest, bytes } of documents) {
        wanted.add(await this.#writeDocument(device, { digest, bytes }));
      }
      wanted.add(await this.#link(device, layer.digest, layer.sha256));
      wanted.add(await this.#link(device, `sha256:${firmware.sha256}`, firmware.sha256));
      const folder = this.#layout(device);
      await this.#write(`${folder}/oci-layout`, `{"imageLayoutVersion":"1.0.0"}`);
      await this.#write(`${folder}/index.json`, formatIndex(firmware, top));
      await syncFolder(folder);
      await this.#sweep(device, wanted);
    });
  }

  /**
   * Forgets a device.
   *
   * @param device A device id.
   */
  async remove(device: string): Promise<void> {
    const folder = this.#layout(device);
    // The index first: it must not name what is no longer there.
    await removeIfThere(`${folder}/index.json`);
    await removeIfThere(`${folder}/oci-layout`);
    await this.#sweep(device, new Set());
  }

  #layout(device: string): string {
    return `${this.#directory}/${device}`;
  }

  async #writeDocument(
    device: string,
    { digest, bytes }: Pick<StoredDocument, "digest" | "bytes">,
  ): Promise<string> {
    const path = await this.#blobPath(device, digest);
    await this.#write(path, bytes);
    return path;
  }

  /** A second name for the same bytes; a copy where the file system has no links. */
  async #link(device: string, digest: Digest, sha256: string): Promise<string> {
    const path = await this.#blobPath(device, digest);
    try {
      await Deno.link(this.#blobs.path(sha256), path);
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) return path;
      if (isMissing(error)) throw error;
      await Deno.copyFile(this.#blobs.path(sha256), path);
    }
    return path;
  }

  async #blobPath(device: string, digest: Digest): Promise<string> {
    const [algorithm, hex] = digest.split(":");
    const folder = `${this.#layout(device)}/blobs/${algorithm}`;
    await Deno.mkdir(folder, { recursive: true });
    return `${folder}/${hex}`;
  }

  #write(path: string, content: Uint8Array | string): Promise<void> {
    return writeWhole(
      path,
      content,
      `${this.#directory}/${OWN_FOLDER}/drafts/${crypto.randomUUID()}`,
    );
  }

  /** Removes the blobs of a layout that are not wanted. What is below may belong to another device. */
  async #sweep(device: string, wanted: ReadonlySet<string>): Promise<void> {
    for (const algorithm of ["sha256", "sha512"]) {
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
      const loaded = await this.#readIndex(device);
      if (loaded?.sha256 === sha256) await this.remove(device);
      else await this.#unlink(device, sha256);
    }
  }

  async #unlink(device: string, sha256: string): Promise<void> {
    await removeIfThere(`${this.#layout(device)}/blobs/sha256/${sha256}`);
  }

  async #readIndex(device: string): Promise<StoredFirmware | undefined> {
    try {
      return parseIndex(await Deno.readTextFile(`${this.#layout(device)}/index.json`));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** All devices that have a layout, also those below others' names. */
  async *#devices(parent: string): AsyncGenerator<string> {
    for await (const { name, isDirectory } of Deno.readDir(`${this.#directory}/${parent}`)) {
      if (!isDirectory || name === OWN_FOLDER) continue;
      const device = parent === "" ? name : `${parent}/${name}`;
      if (name === "blobs" && parent !== "") continue;
      yield device;
      yield* this.#devices(device);
    }
  }
}

/** Refuses to share: two processes would each clear what the other has under way. */
async function lockFile(path: string, directory: string): Promise<Deno.FsFile> {
  const file = await Deno.open(path, { write: true, create: true });
  let timer;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), LOCK_WAIT_MS);
  });
  // The system frees it when the process ends, however it ends.
  const isOurs = await Promise.race([file.lock(true).then(() => true), late]);
  clearTimeout(timer);
  if (isOurs) return file;
  throw new ServiceError(
    "storage-failed",
    `Cache folder "${directory}" is used by another process`,
  );
}

function parseIndex(text: string): StoredFirmware | undefined {
  const index = v.safeParse(indexSchema, parseJson(text));
  if (!index.success) return undefined;
  const [{ digest, annotations }] = index.output.manifests;
  const firmware = v.safeParse(firmwareSchema, parseJson(annotations[FIRMWARE_ANNOTATION] ?? ""));
  const tag = annotations[REF_NAME_ANNOTATION];
  return firmware.success && tag !== undefined ? { tag, digest, ...firmware.output } : undefined;
}

function formatIndex(firmware: StoredFirmware, top: StoredDocument): string {
  const { tag, version, size, crc32, sha256 } = firmware;
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [{
      mediaType: top.mediaType,
      digest: top.digest,
      size: top.bytes.length,
      annotations: {
        [REF_NAME_ANNOTATION]: tag,
        [FIRMWARE_ANNOTATION]: JSON.stringify({ version, size, crc32, sha256 }),
      },
    }],
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
