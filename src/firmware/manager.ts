/**
 * Which bytes a device may have: the newest version of its repository, verified, from the cache
 * where it is fresh.
 *
 * @module
 */

import { describeError, isServiceError, ServiceError } from "../errors.ts";
import { logger } from "../log.ts";
import { type Artifact, resolveArtifact } from "./artifact.ts";
import { FirmwareCache } from "./cache.ts";
import { readContent } from "./content.ts";
import type { Firmware, FirmwareName, FirmwareObserver, FirmwareSource } from "./firmware.ts";
import { HeldFirmware } from "./held.ts";
import { SingleFlight } from "../single_flight.ts";
import { rankVersions, type VersionTag } from "./version.ts";

/**
 * A registry may list tags whose manifest was deleted. So many of them are passed over before we
 * believe that it holds nothing; each costs a request.
 */
const DANGLING_TAGS_LIMIT = 5;

const log = logger("firmware");

/** Options of {@linkcode FirmwareManager}. */
export interface FirmwareManagerOptions {
  /** Where firmware comes from. */
  readonly source: FirmwareSource;
  /** Told of hits and misses. */
  readonly observer: FirmwareObserver;
  /** How many devices are kept in memory. */
  readonly cacheSize: number;
  /** How long an answer of the source holds, in milliseconds; 0 asks it each time. */
  readonly refreshIntervalMs: number;
  /** How long replaced firmware can still be had, in milliseconds. */
  readonly holdMs: number;
  /** The largest firmware that is accepted, in bytes. */
  readonly maxFirmwareBytes: number;
  /** A steady clock in milliseconds. @default performance.now */
  readonly now?: () => number;
}

/** Answers the one question of all devices: which firmware may I have? */
export class FirmwareManager {
  readonly #source: FirmwareSource;
  readonly #observer: FirmwareObserver;
  readonly #options: FirmwareManagerOptions;
  readonly #now: () => number;
  readonly #cache: FirmwareCache;
  readonly #held: HeldFirmware;
  readonly #flights = new SingleFlight<Firmware>();

  /**
   * Knows no firmware yet.
   *
   * @param options What it works with.
   */
  constructor(options: FirmwareManagerOptions) {
    this.#options = options;
    this.#source = options.source;
    this.#observer = options.observer;
    this.#now = options.now ?? (() => performance.now());
    this.#cache = new FirmwareCache(options.cacheSize);
    this.#held = new HeldFirmware(options.holdMs);
  }

  /**
   * The newest firmware of a device. Within the refresh interval the source is not asked; after it,
   * one check serves all who wait. Where the source cannot tell, what was there before is served.
   *
   * @param device A device id.
   * @returns Verified firmware.
   * @throws {ServiceError} With any code but `firmware-gone`.
   */
  async get(device: string): Promise<Firmware> {
    this.#held.expire(this.#now());
    const entry = this.#cache.get(device);
    if (entry === undefined) {
      return await this.#flights.join(device, () => this.#fetchFirst(device));
    }
    if (this.#now() - entry.checkedAtMs < this.#options.refreshIntervalMs) {
      this.#observer.hit(device);
      return entry.firmware;
    }
    return await this.#flights.join(device, () => this.#refresh(device, entry.firmware));
  }

  /**
   * The very firmware that was announced before, although a newer one may have come since.
   *
   * @param device A device id.
   * @param name What was announced.
   * @returns Exactly that firmware, verified.
   * @throws {ServiceError} `firmware-gone` where nobody has it any more, or another code.
   */
  async getAnnounced(device: string, name: FirmwareName): Promise<Firmware> {
    try {
      const newest = await this.get(device);
      if (newest.digest === name.digest) return newest;
    } catch (error) {
      log.debug("The newest firmware cannot be had, looking for the announced one", {
        device,
        reason: describeError(error),
      });
    }
    return this.#held.find(device, name.digest) ??
      await this.#flights.join(
        `${device}@${name.digest}`,
        () => this.#fetchAnnounced(device, name),
      );
  }

  async #fetchFirst(device: string): Promise<Firmware> {
    const firmware = await this.#findNewest(device, undefined);
    this.#keep(device, firmware);
    this.#observer.miss(device);
    return firmware;
  }

  async #refresh(device: string, known: Firmware): Promise<Firmware> {
    try {
      const newest = await this.#findNewest(device, known);
      this.#keep(device, newest);
      if (newest.digest === known.digest) {
        this.#observer.hit(device);
      } else {
        this.#observer.miss(device);
        this.#held.add(device, known, this.#now());
      }
      return newest;
    } catch (error) {
      if (isServiceError(error, "firmware-unknown")) {
        this.#held.add(device, known, this.#now());
        this.#forget(device);
        throw error;
      }
      log.warn("Cannot check for a newer firmware, serving the known one", {
        device,
        version: known.version,
        reason: describeError(error),
      });
      this.#observer.hit(device);
      this.#keep(device, known);
      return known;
    }
  }

  async #findNewest(device: string, known: Firmware | undefined): Promise<Firmware> {
    const candidates = rankVersions(await this.#listTags(device));
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

  async #fetchAnnounced(device: string, name: FirmwareName): Promise<Firmware> {
    try {
      const artifact = await resolveArtifact(this.#source, device, name.digest);
      const firmware = await this.#fetch(device, name, artifact);
      this.#held.add(device, firmware, this.#now());
      return firmware;
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
    const maxBytes = this.#options.maxFirmwareBytes;
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

  #keep(device: string, firmware: Firmware): void {
    this.#cache.set(device, { firmware, checkedAtMs: this.#now() });
    this.#observer.entries(this.#cache.size);
  }

  #forget(device: string): void {
    this.#cache.delete(device);
    this.#observer.entries(this.#cache.size);
  }
}

/** The words are those of the Rust OtaFlux: devices and scripts may look for them. */
function unknownFirmware(device: string, cause: unknown): ServiceError {
  return new ServiceError("firmware-unknown", `No firmware for device '${device}'`, { cause });
}
