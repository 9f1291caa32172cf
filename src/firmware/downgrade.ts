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
import type { Query } from "../selection.ts";
import type { Firmware } from "./firmware.ts";
import type { VersionTag } from "./version.ts";

/** Remembers a version per query: over restarts, where it is durable. */
export interface VersionNotes {
  /** What was noted last. Throws where that cannot be read: it is not the same as nothing. */
  get(query: Query): Promise<string | undefined>;
  /** Notes a version, durably where it is durable. */
  set(query: Query, version: string): Promise<void>;
}

/**
 * Knows the highest version that each query was ever answered with. Who names a version wants it,
 * whatever it is.
 */
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
   * @param query Who asks, and for what.
   * @param candidate What the source has.
   * @param known What is served now: it counts although nobody may have noted it yet.
   * @throws {ServiceError} `artifact-invalid` where it is lower.
   */
  async check(
    query: Query,
    { version }: VersionTag,
    known: Firmware | undefined,
  ): Promise<void> {
    if (query.selection.version !== undefined) return;
    const noted = await this.#notes.get(query);
    for (const served of [noted, known?.version]) {
      if (served === undefined || !lt(version, served)) continue;
      throw new ServiceError(
        "artifact-invalid",
        `Firmware ${version} of device '${query.device}' is refused: it is lower than ${served}, ` +
          "which was served before",
      );
    }
  }

  /**
   * Notes what is going to be served, where nothing as high was.
   *
   * @param query Who asks, and for what.
   * @param firmware What has passed.
   * @throws {ServiceError} `storage-failed`; it must not be served then.
   */
  async note(query: Query, { version }: Firmware): Promise<void> {
    if (query.selection.version !== undefined) return;
    const noted = await this.#notes.get(query);
    if (noted === undefined || gt(version, noted)) await this.#notes.set(query, version);
  }
}
