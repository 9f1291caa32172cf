/**
 * A version noted per device. Fits the port that the domain asks for (`VersionNotes`).
 *
 * @module
 */

import { createHash } from "node:crypto";
import * as v from "valibot";
import { isMissing, readNote, storing, syncFolder, writeWhole } from "../files.ts";

const noteSchema = v.object({ device: v.string(), version: v.string() });

/** Notes versions in a folder, a small file each: they outlive the firmware, which may have to go. */
export class VersionFiles {
  readonly #directory: string;
  /** What was read or written before: the folder is this process's own. */
  readonly #known = new Map<string, string | undefined>();

  /**
   * Reads nothing yet.
   *
   * @param directory The folder; made with the first note.
   */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * Looks a device up.
   *
   * @param device A device id.
   * @returns What was noted last; undefined for nothing.
   * @throws {ServiceError} `storage-failed` where the note cannot be read.
   */
  async get(device: string): Promise<string | undefined> {
    if (!this.#known.has(device)) this.#known.set(device, await this.#read(device));
    return this.#known.get(device);
  }

  /**
   * Notes a version, durably.
   *
   * @param device A device id.
   * @param version What is noted in place of what was before.
   * @throws {ServiceError} `storage-failed`
   */
  async set(device: string, version: string): Promise<void> {
    await storing(() => Deno.mkdir(this.#directory, { recursive: true }));
    const path = this.#path(device);
    await writeWhole(path, JSON.stringify({ device, version }), `${path}.${crypto.randomUUID()}`);
    await storing(() => syncFolder(this.#directory));
    this.#known.set(device, version);
  }

  #read(device: string): Promise<string | undefined> {
    return storing(async () => {
      try {
        const note = JSON.parse(await readNote(this.#path(device)));
        return v.parse(noteSchema, note).version;
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    });
  }

  /** Device ids hold slashes, and may be as long as file names: hashes are neither. */
  #path(device: string): string {
    return `${this.#directory}/${createHash("sha256").update(device).digest("hex")}`;
  }
}

/** Notes versions as long as the process lives. */
export class VersionMemory {
  readonly #versions = new Map<string, string>();

  /**
   * Looks a device up.
   *
   * @param device A device id.
   * @returns What was noted last; undefined for nothing.
   */
  get(device: string): Promise<string | undefined> {
    return Promise.resolve(this.#versions.get(device));
  }

  /**
   * Notes a version.
   *
   * @param device A device id.
   * @param version What is noted in place of what was before.
   * @returns At once.
   */
  set(device: string, version: string): Promise<void> {
    this.#versions.set(device, version);
    return Promise.resolve();
  }
}
