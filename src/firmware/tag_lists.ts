/**
 * The versions that a device's repository holds, asked for once for all that the device selects
 * from them.
 *
 * @module
 */

import { LRUCache } from "lru-cache";
import { isServiceError } from "../errors.ts";
import type { FirmwareSource } from "./firmware.ts";
import { rankVersions, type VersionTag } from "./version.ts";

/** So many versions of all devices together are remembered, the latest lists: about 10 MB. */
const VERSIONS_LIMIT = 50_000;

/** Options of {@linkcode TagLists}. */
export interface TagListsOptions {
  /** Where tags are listed. */
  readonly source: Pick<FirmwareSource, "listTags">;
  /** A steady clock in milliseconds. */
  readonly now: () => number;
  /** Told of each answer of the source. */
  readonly onAnswer: () => void;
}

interface TagList {
  /** When the source was asked. */
  readonly askedAtMs: number;
  readonly versions: Promise<readonly VersionTag[]>;
  isUnderWay: boolean;
}

/** Shares lists among those who can do with the same one. */
export class TagLists {
  readonly #options: TagListsOptions;
  /** That there is no such device is remembered, too, whatever it selects. */
  readonly #lists: LRUCache<string, TagList>;

  /**
   * Knows no list yet.
   *
   * @param options Where, and by which clock.
   */
  constructor(options: TagListsOptions) {
    this.#options = options;
    this.#lists = new LRUCache({ maxSize: VERSIONS_LIMIT });
  }

  /**
   * The versions of a device.
   *
   * @param device A device id.
   * @param afterMs A list that was asked for later than then will do, and so does one under way.
   * @returns Versions, the newest first.
   * @throws {ServiceError} What the source throws.
   */
  get(device: string, afterMs: number): Promise<readonly VersionTag[]> {
    const list = this.#lists.get(device);
    if (list !== undefined && (list.isUnderWay || list.askedAtMs > afterMs)) return list.versions;
    return this.#ask(device);
  }

  /**
   * Forgets a list, also one that is under way: what is asked from now on sees what is there now.
   *
   * @param device A device id.
   */
  forget(device: string): void {
    this.#lists.delete(device);
  }

  #ask(device: string): Promise<readonly VersionTag[]> {
    const { source, now, onAnswer } = this.#options;
    const list: TagList = {
      askedAtMs: now(),
      isUnderWay: true,
      versions: source.listTags(device).then((tags) => {
        onAnswer();
        const versions = rankVersions(tags);
        // What is under way counts as one; it may have been replaced since.
        if (this.#lists.peek(device) === list) this.#keep(device, list, versions.length);
        return versions;
      }).catch((error) => {
        const isForgotten = this.#lists.peek(device) !== list;
        if (!isForgotten && !isServiceError(error, "firmware-unknown")) this.forget(device);
        throw error;
      }).finally(() => list.isUnderWay = false),
    };
    this.#keep(device, list, 0);
    return list.versions;
  }

  /** An empty list takes room, too. A list beyond all bounds is not remembered. */
  #keep(device: string, list: TagList, versions: number): void {
    this.#lists.set(device, list, { size: 1 + versions });
  }
}
