/**
 * Which firmware was accepted for each version, so that one version cannot be two firmwares.
 *
 * @module
 */

import { LRUCache } from "lru-cache";
import * as v from "valibot";
import { type Digest, digestSchema } from "../digest.ts";
import { ServiceError } from "../errors.ts";
import { fileNameOf, isMissing, makeFolder, readNote, storing, writeWhole } from "../files.ts";
import { Turns } from "../turns.ts";

/** So many devices are kept in memory; without a folder others are forgotten. */
const DEVICES_LIMIT = 10_000;

/** So many versions are remembered of a device, the latest accepted ones. */
const VERSIONS_LIMIT = 1000;

const fileSchema = v.object({
  device: v.string(),
  versions: v.array(v.tuple([
    v.string(),
    digestSchema,
  ])),
});

/** Remembers versions with the digests of their manifests: over restarts where it has a folder. */
export class AcceptedVersions {
  readonly #directory: string | undefined;
  readonly #devices = new LRUCache<string, Map<string, Digest>>({ max: DEVICES_LIMIT });
  /** Two that read and write one file at once would lose an entry. */
  readonly #turns = new Turns();

  /**
   * Reads nothing yet.
   *
   * @param directory Where to keep what was accepted; in memory without.
   */
  constructor(directory: string | undefined) {
    this.#directory = directory;
  }

  /**
   * Accepts a firmware for a version, unless another one was accepted before.
   *
   * @param device A device id.
   * @param version Its version.
   * @param digest The digest of its manifest.
   * @returns The digest that counts: this one, or the one that was accepted before.
   * @throws {ServiceError} `storage-failed` where it cannot be remembered.
   */
  async accept(device: string, version: string, digest: Digest): Promise<Digest> {
    return await this.#turns.take(device, async () => {
      const versions = await this.#read(device);
      const before = versions.get(version);
      if (before !== undefined) return before;
      const next = new Map([...versions, [version, digest] as const].slice(-VERSIONS_LIMIT));
      await this.#write(device, next);
      this.#devices.set(device, next);
      return digest;
    });
  }

  async #read(device: string): Promise<Map<string, Digest>> {
    const known = this.#devices.get(device);
    if (known !== undefined || this.#directory === undefined) return known ?? new Map();
    const path = `${this.#directory}/${fileNameOf(device)}.json`;
    try {
      const file = v.parse(fileSchema, JSON.parse(await readNote(path)));
      return new Map(file.versions);
    } catch (cause) {
      if (isMissing(cause)) return new Map();
      // To begin anew would be to forget what a file was written for.
      throw new ServiceError("storage-failed", "Accepted versions cannot be read", { cause });
    }
  }

  async #write(device: string, versions: ReadonlyMap<string, Digest>): Promise<void> {
    const directory = this.#directory;
    if (directory === undefined) return;
    const path = `${directory}/${fileNameOf(device)}.json`;
    const content = JSON.stringify({ device, versions: [...versions] });
    await storing(() => makeFolder(directory));
    await writeWhole(path, content, `${path}.draft`);
  }
}
