/**
 * From an artifact to its firmware in the store.
 *
 * @module
 */

import { describeError, isServiceError, ServiceError } from "../errors.ts";
import { logger } from "../log.ts";
import { ARCHIVE_OVERHEAD_BYTES } from "./archive.ts";
import type { Artifact } from "./artifact.ts";
import { type ContentOptions, storeContent, type StoredContent } from "./content.ts";
import type { Firmware, FirmwareRecord, FirmwareSource, FirmwareStore } from "./firmware.ts";
import { modificationDate } from "./modification.ts";
import type { VersionTag } from "./version.ts";

const log = logger("firmware");

/** Options of {@linkcode FirmwareDownload}. */
export interface FirmwareDownloadOptions {
  /** Where the bytes come from. */
  readonly source: Pick<FirmwareSource, "openBlob">;
  /** Where they go. */
  readonly store: Pick<FirmwareStore, "draft" | "keepsLayers">;
  /** The largest firmware that is accepted, in bytes. */
  readonly maxFirmwareBytes: number;
}

/** What is to be downloaded, and what is known of it. */
export interface DownloadWish {
  /** The tag that it was found by, and its version. */
  readonly name: VersionTag;
  /** Where the bytes are, and what they must be. */
  readonly artifact: Artifact;
  /** What the device was served before, if anything. */
  readonly known?: Firmware | undefined;
  /** When the device's firmware became this one, where that is known from before. */
  readonly modifiedAt?: Date | undefined;
}

/** Downloads firmware that may be served. */
export class FirmwareDownload {
  readonly #options: FirmwareDownloadOptions;

  /**
   * Downloads nothing yet.
   *
   * @param options From where to where, and how much at most.
   */
  constructor(options: FirmwareDownloadOptions) {
    this.#options = options;
  }

  /**
   * Stores the bytes of a firmware.
   *
   * @param device A device id.
   * @param wish Which.
   * @returns What is to be written down of it.
   * @throws {ServiceError} `artifact-invalid`, `storage-failed` or `source-*`; then nothing is stored.
   */
  async fetch(
    device: string,
    { name: { tag, version }, artifact, known, modifiedAt }: DownloadWish,
  ): Promise<FirmwareRecord> {
    const { store, maxFirmwareBytes: maxBytes } = this.#options;
    const { digest, layer, form, documents, annotations, files } = artifact;
    // Whether a layer is an archive may show only later, and then it is more than its file.
    const limit = form === "raw" ? maxBytes : maxBytes + ARCHIVE_OVERHEAD_BYTES;
    if (layer.size > limit) {
      throw new ServiceError(
        "artifact-invalid",
        `Firmware ${version} of device '${device}' has ${layer.size} bytes, want ${maxBytes} at most`,
      );
    }
    const { content, layerSha256 } = await this.#storeTwice(device, {
      ...{ layer, form, maxBytes, store },
    });
    log.info("Fetched firmware", { device, version, tag, digest, size: content.size });
    return {
      firmware: {
        ...{ tag, version, digest, annotations, files, ...content },
        modifiedAt: modifiedAt ?? modificationDate(annotations, { known, today: new Date() }),
      },
      documents,
      layer: { digest: layer.digest, sha256: layerSha256 },
    };
  }

  /** A blob that breaks off is asked for once more: bad lines break, and devices wait. */
  async #storeTwice(device: string, options: ContentOptions): Promise<StoredContent> {
    const { source } = this.#options;
    try {
      return await storeContent(await source.openBlob(device, options.layer), options);
    } catch (error) {
      if (!isServiceError(error, "source-unavailable")) throw error;
      log.debug("Blob broke off, asking again", { device, reason: describeError(error) });
      return await storeContent(await source.openBlob(device, options.layer), options);
    }
  }
}
