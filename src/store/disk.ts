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
import { isMissing, makeFolder, storing } from "../files.ts";
import { logger } from "../log.ts";
import { asQuery, formatSelection, type Query, type Question } from "../selection.ts";
import { Turns } from "../turns.ts";
import { type BlobDraft, Blobs, type ReleaseOptions } from "./blobs.ts";
import type { FileReader } from "./file_reader.ts";
import { Layouts, OWN_FOLDER } from "./layouts.ts";
import { lockFile } from "./lock.ts";
import type { MemoryReader } from "./memory.ts";
import {
  contentsOf,
  type KeptFirmware,
  type StoredFirmware,
  type StoredRecord,
  withKept,
} from "./record.ts";
import { Releaser } from "./releaser.ts";

const log = logger("store");

/** Options of {@linkcode DiskStore.open}. */
export interface DiskStoreOptions {
  /** The folder. */
  readonly directory: string;
  /** The most bytes of all blobs together. */
  readonly maxBytes: number;
  /**
   * The selection of devices that say nothing: it is kept, however many others there are.
   *
   * @default the empty one
   */
  readonly defaultSelection?: string;
  /** Told of each content that has to go. @default nobody */
  readonly onEviction?: (() => void) | undefined;
}

/** Keeps firmware over restarts. */
export class DiskStore implements Disposable {
  /** A layout is whole only with the layer that the manifest names. */
  readonly keepsLayers = true;
  readonly #lock: Deno.FsFile;
  /** Layers other than the firmware in them, by the firmware: they are used together. */
  readonly #layers = new Map<string, string>();
  /** Two that write one layout at once would sweep away what the other has just written. */
  readonly #turns = new Turns();
  /** Devices whose layouts have nothing left in them of an earlier process. */
  readonly #tidied = new Set<string>();
  readonly #layouts: Layouts;
  readonly #releaser: Releaser;
  readonly #defaultSelection: string;
  #blobs!: Blobs;

  private constructor({ directory, defaultSelection = "" }: DiskStoreOptions, lock: Deno.FsFile) {
    this.#layouts = new Layouts(directory);
    this.#releaser = new Releaser({
      layouts: this.#layouts,
      turns: this.#turns,
      has: (sha256) => this.#blobs.has(sha256),
    });
    this.#defaultSelection = defaultSelection;
    this.#lock = lock;
  }

  /**
   * Takes a folder over.
   *
   * @param options Which, and how much it may hold.
   * @returns The store.
   * @throws {ServiceError} `storage-failed` where it cannot be written, or another process has it.
   */
  static async open(options: DiskStoreOptions): Promise<DiskStore> {
    const { directory, maxBytes, onEviction } = options;
    const own = `${directory}/${OWN_FOLDER}`;
    return await storing(async () => {
      await makeFolder(own);
      const lock = await lockFile(`${own}/lock`, directory);
      try {
        const store = new DiskStore(options, lock);
        store.#blobs = await Blobs.open({
          directory: `${own}/blobs`,
          drafts: `${own}/drafts`,
          maxBytes,
          onEviction,
          release: (sha256, options) => store.#letGo(sha256, options),
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
  open(sha256: string): Promise<FileReader | MemoryReader | undefined> {
    const layer = this.#layers.get(sha256);
    if (layer !== undefined) this.#blobs.touch(layer);
    return this.#blobs.open(sha256);
  }

  /**
   * Reads what is known of a query.
   *
   * @param question Who asks, and for what.
   * @returns Its firmware, when that was written down, and verified under which policy; undefined
   * where there is none whole.
   */
  async load(
    question: Question,
  ): Promise<
    { firmware: StoredFirmware; savedAt: Date; policy: string | undefined } | undefined
  > {
    const { device, selection } = asQuery(question);
    const wanted = formatSelection(selection);
    try {
      const all = await this.#layouts.of(device).read();
      // A process that was killed may have left what it had not named yet. Who only asks for names
      // that nobody has costs no more than a look.
      if (all.length > 0 && !this.#tidied.has(device)) {
        await this.#turns.take(device, () => this.#tidy(device));
      }
      const kept = all.find((one) => one.selection === wanted);
      if (kept === undefined) return undefined;
      const { firmware, savedAt, layer, policy } = kept;
      if (!this.#blobs.has(firmware.sha256)) {
        // A copy of a folder may have lost what its files had in common.
        this.#releaser.expect(device, [firmware.sha256]);
        await this.#blobs.adopt(
          firmware.sha256,
          this.#layouts.of(device).pathOf(`sha256:${firmware.sha256}`),
        );
      }
      if (layer !== undefined) this.#layers.set(firmware.sha256, layer);
      return { firmware, savedAt, policy };
    } catch (error) {
      if (isMissing(error)) return undefined;
      log.warn("Cannot read what is known of a device", { device, reason: String(error) });
      return undefined;
    }
  }

  /**
   * Writes down what a query is answered with. Its content was stored before: first the layout's
   * blobs, then the index that names them, so that there is never a name without content.
   *
   * @param question Who asks, and for what.
   * @param record What is kept of it.
   * @returns Whether it was written: not where its content had to go before.
   * @throws {ServiceError} `storage-failed`
   */
  async save(question: Question, record: StoredRecord): Promise<boolean> {
    const query = asQuery(question);
    let kept: KeptFirmware;
    try {
      kept = await storing(() => this.#turns.take(query.device, () => this.#write(query, record)));
    } catch (error) {
      const isGone = isServiceError(error, "storage-failed") &&
        error.cause instanceof Deno.errors.NotFound;
      if (isGone) return false;
      throw error;
    }
    const { firmware: { sha256 }, layer } = kept;
    if (layer !== undefined) this.#layers.set(sha256, layer);
    await this.#blobs.settle(contentsOf(kept));
    return true;
  }

  /**
   * Forgets a query.
   *
   * @param question Who asked, and for what.
   */
  async remove(question: Question): Promise<void> {
    const { device, selection } = asQuery(question);
    const unwanted = formatSelection(selection);
    await this.#turns.take(device, async () => {
      const kept = await this.#layouts.of(device).read();
      await this.#rewrite(device, kept.filter((one) => one.selection !== unwanted));
    });
  }

  async #write(query: Query, record: StoredRecord): Promise<KeptFirmware> {
    const { device, selection } = query;
    const layout = this.#layouts.of(device);
    const kept = await layout.read();
    try {
      const placed = record.documents.length === 0
        ? findSame(kept, record)
        : await this.#place(device, { ...record, kept });
      const next = { ...placed, selection: formatSelection(selection), savedAt: new Date() };
      await this.#rewrite(device, withKept(kept, next, this.#defaultSelection));
      return next;
    } catch (error) {
      // Nobody might ever write this index again, and on a full disk each byte counts.
      await this.#tidy(device);
      throw error;
    }
  }

  /** Within the device's turn. That something is left over hinders nobody. */
  async #tidy(device: string): Promise<void> {
    try {
      if (await this.#layouts.of(device).tidy()) this.#tidied.add(device);
    } catch (error) {
      log.debug("Cannot clear what no index names", { device, reason: String(error) });
    }
  }

  /** Puts everything in its place that the index is going to name. */
  async #place(
    device: string,
    { firmware, documents, layer, policy, kept }: StoredRecord & {
      readonly kept: readonly KeptFirmware[];
    },
  ): Promise<Omit<KeptFirmware, "selection" | "savedAt">> {
    const [top] = documents;
    if (top === undefined) throw new TypeError("A record has documents to be placed");
    const { sha256 } = firmware;
    const known = kept.find((one) => one.firmware.sha256 === sha256);
    const layerSha256 = layer.sha256 ?? known?.layer ?? sha256;
    this.#releaser.expect(device, [sha256, layerSha256]);
    const layout = this.#layouts.of(device);
    for (const { digest, bytes } of documents) await layout.write(digest, bytes);
    if (layer.sha256 === undefined) await layout.expect(layer.digest);
    else await layout.link(layer.digest, this.#blobs.path(layer.sha256));
    const firmwareDigest = `sha256:${sha256}` as const;
    await layout.link(firmwareDigest, this.#blobs.path(sha256));
    return {
      firmware,
      top: { mediaType: top.mediaType, size: top.bytes.length },
      blobs: [...new Set([...documents.map(({ digest }) => digest), layer.digest, firmwareDigest])],
      layer: layerSha256 === sha256 ? undefined : layerSha256,
      policy,
    };
  }

  async #rewrite(device: string, kept: readonly KeptFirmware[]): Promise<void> {
    await this.#layouts.of(device).rewrite(kept);
    this.#releaser.note(device, kept);
  }

  async #letGo(sha256: string, options: ReleaseOptions): Promise<void> {
    await this.#releaser.release(sha256, options);
    this.#layers.delete(sha256);
  }
}

/** What is kept for another selection already; "not found" where nothing is. */
function findSame(kept: readonly KeptFirmware[], { firmware }: StoredRecord): KeptFirmware {
  const same = kept.findLast((one) =>
    one.firmware.digest === firmware.digest && one.firmware.sha256 === firmware.sha256
  );
  if (same === undefined) throw new Deno.errors.NotFound("Firmware is not kept");
  return { ...same, firmware: { ...same.firmware, ...firmware } };
}
