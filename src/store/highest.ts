/**
 * The highest version that each device was ever served, over restarts.
 *
 * @module
 */

import { createHash } from "node:crypto";
import * as v from "valibot";
import { isMissing, writeWhole } from "./files.ts";

const entrySchema = v.object({ device: v.string(), version: v.string() });

/** Options of {@linkcode HighestVersions}. */
export interface HighestVersionsOptions {
  /** The folder of the notes, one file a device; made where it is missing. */
  readonly directory: string;
  /** A folder on the same file system for files that are not complete. */
  readonly drafts: string;
}

/** Keeps a version per device. It outlives the firmware itself, which may have to make room. */
export class HighestVersions {
  readonly #options: HighestVersionsOptions;

  /**
   * Reads nothing yet.
   *
   * @param options Where.
   */
  constructor(options: HighestVersionsOptions) {
    this.#options = options;
  }

  /**
   * Looks a device up.
   *
   * @param device A device id.
   * @returns The version that was noted last; undefined for none.
   * @throws {Error} What was noted cannot be read: to take that for nothing would open the way down.
   */
  async get(device: string): Promise<string | undefined> {
    try {
      const note = JSON.parse(await Deno.readTextFile(this.#path(device)));
      return v.parse(entrySchema, note).version;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /**
   * Notes a version.
   *
   * @param device A device id.
   * @param version What it is served.
   * @throws {ServiceError} `storage-failed`
   */
  async set(device: string, version: string): Promise<void> {
    await Deno.mkdir(this.#options.directory, { recursive: true });
    const draft = `${this.#options.drafts}/${crypto.randomUUID()}`;
    await writeWhole(this.#path(device), JSON.stringify({ device, version }), draft);
  }

  /** Device ids hold slashes, and may be as long as file names: hashes are neither. */
  #path(device: string): string {
    return `${this.#options.directory}/${createHash("sha256").update(device).digest("hex")}.json`;
  }
}
