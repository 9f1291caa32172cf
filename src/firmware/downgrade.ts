/**
 * Refuses to go back to a lower version than was served before.
 *
 * Signatures do not: whoever can move a tag can move it to firmware that was signed years ago, with
 * holes that are known by now (a rollback attack, in the words of The Update Framework, 1.5.2).
 *
 * @see https://theupdateframework.github.io/specification/v1.0.33/#goals-to-protect-against-specific-attacks
 * @module
 */

import { gt, lt } from "semver";
import { ServiceError } from "../errors.ts";
import type { Firmware } from "./firmware.ts";
import type { VersionTag } from "./version.ts";

/** Remembers a version per device: over restarts, where it is durable. */
export interface VersionNotes {
  /** What was noted last. Throws where that cannot be read: it is not the same as nothing. */
  get(device: string): Promise<string | undefined>;
  /** Notes a version, durably where it is durable. */
  set(device: string, version: string): Promise<void>;
}

/** Knows the highest version that each device was ever served. */
export class DowngradeGuard {
  readonly #notes: VersionNotes;

  /**
   * Knows what was noted.
   *
   * @param notes Where the highest versions are noted.
   */
  constructor(notes: VersionNotes) {
    this.#notes = notes;
  }

  /**
   * Lets pass what is as high as what was served before. Build metadata does not count (semver, 10).
   *
   * @param device A device id.
   * @param candidate What the source has.
   * @param known What is served now: it counts although nobody may have noted it yet.
   * @throws {ServiceError} `artifact-invalid` where it is lower.
   */
  async check(
    device: string,
    { version }: VersionTag,
    known: Firmware | undefined,
  ): Promise<void> {
    const noted = await this.#notes.get(device);
    for (const served of [noted, known?.version]) {
      if (served === undefined || !lt(version, served)) continue;
      throw new ServiceError(
        "artifact-invalid",
        `Firmware ${version} of device '${device}' is refused: it is lower than ${served}, ` +
          "which was served before",
      );
    }
  }

  /**
   * Notes what is going to be served, where nothing as high was.
   *
   * @param device A device id.
   * @param firmware What has passed.
   * @throws {ServiceError} `storage-failed`; it must not be served then.
   */
  async note(device: string, { version }: Firmware): Promise<void> {
    const noted = await this.#notes.get(device);
    if (noted === undefined || gt(version, noted)) await this.#notes.set(device, version);
  }
}
