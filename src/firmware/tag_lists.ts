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

/** Which lists will do, besides one that is under way. */
export interface TagListWish {
  /** One that was asked for after this moment: see {@linkcode TagLists.moment}. */
  readonly since: number;
  /** One that is younger than that, in milliseconds. @default 0 */
  readonly sharedForMs?: number;
}

interface TagList {
  /** Counts the lists. */
  readonly number: number;
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
  #count = 0;

  /**
   * Knows no list yet.
   *
   * @param options Where, and by which clock.
   */
  constructor(options: TagListsOptions) {
    this.#options = options;
    this.#lists = new LRUCache({ maxSize: VERSIONS_LIMIT });
  }

  /** Now: lists that are asked for from now on are later. A clock may stand still meanwhile. */
  get moment(): number {
    return this.#count;
  }

  /**
   * The versions of a device.
   *
   * @param device A device id.
   * @param wish Which lists will do; one that is under way always does.
   * @returns Versions, the newest first.
   * @throws {ServiceError} What the source throws.
   */
  get(
    device: string,
    { since, sharedForMs = 0 }: TagListWish,
  ): Promise<readonly VersionTag[]> {
    const list = this.#lists.get(device);
    const willDo = list !== undefined && (list.isUnderWay || list.number > since ||
      this.#options.now() - list.askedAtMs < sharedForMs);
    return willDo ? list.versions : this.#ask(device);
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
      number: ++this.#count,
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
    // The cache takes the same list for no change, whatever its size.
    this.#lists.delete(device);
    this.#lists.set(device, list, { size: 1 + versions });
  }
}
