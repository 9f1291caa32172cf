/**
 * Finds firmware at the source: from a device to verified bytes.
 *
 * @module
 */

import { isServiceError, ServiceError } from "../errors.ts";
import { logger } from "../log.ts";
import { type Artifact, resolveArtifact } from "./artifact.ts";
import { readContent } from "./content.ts";
import type { Firmware, FirmwareName, FirmwareSource } from "./firmware.ts";
import { rankVersions, type VersionTag } from "./version.ts";

/**
 * A registry may list tags whose manifest was deleted. So many of them are passed over before we
 * believe that it holds nothing; each costs a request.
 */
const DANGLING_TAGS_LIMIT = 5;

const log = logger("firmware");

/** Options of {@linkcode FirmwareLookup}. */
export interface LookupOptions {
  /** Where firmware comes from. */
  readonly source: FirmwareSource;
  /** The largest firmware that is accepted, in bytes. */
  readonly maxFirmwareBytes: number;
  /** Told as soon as the source has answered, however long the download takes then. */
  readonly onAnswer: () => void;
}

/** Asks the source, each time anew, and verifies what it delivers. */
export class FirmwareLookup {
  readonly #source: FirmwareSource;
  readonly #maxFirmwareBytes: number;
  readonly #onAnswer: () => void;

  /**
   * Asks nothing yet.
   *
   * @param options Where, how much at most, and who is told.
   */
  constructor({ source, maxFirmwareBytes, onAnswer }: LookupOptions) {
    this.#source = source;
    this.#maxFirmwareBytes = maxFirmwareBytes;
    this.#onAnswer = onAnswer;
  }

  /**
   * The newest firmware of a device.
   *
   * @param device A device id.
   * @param known What was the newest before: it is not fetched again.
   * @returns Verified firmware; `known` itself where nothing has changed.
   * @throws {ServiceError} With any code but `firmware-gone`.
   */
  async newest(device: string, known: Firmware | undefined): Promise<Firmware> {
    const candidates = rankVersions(await this.#listTags(device));
    this.#onAnswer();
    for (const candidate of candidates.slice(0, DANGLING_TAGS_LIMIT)) {
      try {
        return await this.#fetchTag(device, candidate, known);
      } catch (error) {
        if (!isServiceError(error, "firmware-unknown")) throw error;
        log.warn("Tag is listed, but has no manifest", { device, tag: candidate.tag });
      }
    }
    throw unknownFirmware(
      device,
      candidates.length > 0 ? "no listed tag has a manifest" : "no tag is a version",
    );
  }

  async #listTags(device: string): Promise<readonly string[]> {
    try {
      return await this.#source.listTags(device);
    } catch (error) {
      throw isServiceError(error, "firmware-unknown") ? unknownFirmware(device, error) : error;
    }
  }

  async #fetchTag(
    device: string,
    candidate: VersionTag,
    known: Firmware | undefined,
  ): Promise<Firmware> {
    let digest;
    if (known?.tag === candidate.tag) {
      digest = await this.#source.peekDigest(device, candidate.tag);
      if (digest === known.digest) return known;
    }
    const artifact = await resolveArtifact(this.#source, device, digest ?? candidate.tag);
    if (artifact.digest === known?.digest) return { ...known, ...candidate };
    return await this.#fetch(device, candidate, artifact);
  }

  /**
   * A firmware by its name, although it may no longer be the newest.
   *
   * @param device A device id.
   * @param name Which.
   * @returns Exactly that firmware, verified.
   * @throws {ServiceError} `firmware-gone` where the source does not have it any more, or `source-*`.
   */
  async exact(device: string, name: FirmwareName): Promise<Firmware> {
    try {
      const artifact = await resolveArtifact(this.#source, device, name.digest);
      this.#onAnswer();
      return await this.#fetch(device, name, artifact);
    } catch (cause) {
      if (!isServiceError(cause, "firmware-unknown")) throw cause;
      throw new ServiceError(
        "firmware-gone",
        `Firmware ${name.version} of device '${device}' is no longer there, ask for the version`,
        { cause },
      );
    }
  }

  async #fetch(
    device: string,
    { tag, version }: VersionTag,
    artifact: Artifact,
  ): Promise<Firmware> {
    const { digest, layer, form } = artifact;
    const maxBytes = this.#maxFirmwareBytes;
    if (layer.size > maxBytes) {
      throw new ServiceError(
        "artifact-invalid",
        `Firmware ${version} of device '${device}' has ${layer.size} bytes, want ${maxBytes} at most`,
      );
    }
    const blob = await this.#source.openBlob(device, layer);
    const content = await readContent(blob, { layer, form, maxBytes });
    log.info("Fetched firmware", { device, version, tag, digest, size: content.size });
    return { tag, version, digest, ...content };
  }
}

/** The words are those of the Rust OtaFlux: devices and scripts may look for them. */
function unknownFirmware(device: string, cause: unknown): ServiceError {
  return new ServiceError("firmware-unknown", `No firmware for device '${device}'`, { cause });
}
