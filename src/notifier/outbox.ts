/**
 * What is to be published still: the newest of each device, on disk where there is a folder.
 *
 * ```
 * <folder>/<SHA-256 of the device id>.json
 * ```
 *
 * @module
 */

import pLimit from "p-limit";
import * as v from "valibot";
import { digestSchema } from "../digest.ts";
import { describeError } from "../errors.ts";
import {
  fileNameOf,
  makeFolder,
  readNote,
  removeIfThere,
  storing,
  syncFolder,
  writeWhole,
} from "../files.ts";
import { logger } from "../log.ts";
import { isRepositoryName } from "../repository.ts";
import { Turns } from "../turns.ts";
import type { AnnouncedFirmware, AnnouncedName } from "./message.ts";

const log = logger("notifier");

/** How many files are written at once: thousands may come together when the broker is back. */
const CONCURRENT_WRITES = 8;

/** A notification that waits. Compared by identity: a newer one of the device takes its place. */
export interface Notification {
  /** Whose. */
  readonly device: string;
  /** What is announced. */
  readonly firmware: AnnouncedFirmware;
  /** Whether it is published although the broker has it already. */
  readonly always: boolean;
  /** Whether the source has said to this process that the firmware is the newest. */
  readonly isConfirmed: boolean;
  /**
   * What the broker had then. Where it has something else now, or this is not known, somebody may
   * have published what is newer.
   */
  readonly replaces: AnnouncedName | undefined;
}

const kept = v.object({
  device: v.pipe(v.string(), v.check(isRepositoryName)),
  always: v.boolean(),
  firmware: v.object({
    version: v.string(),
    digest: digestSchema,
    size: v.pipe(v.number(), v.safeInteger()),
    crc32: v.pipe(v.number(), v.safeInteger()),
    sha256: v.string(),
  }),
});

/** Holds one notification per device. */
export class Outbox {
  readonly #directory: string | undefined;
  readonly #waiting = new Map<string, Notification>();
  /** A file is written by one at a time. */
  readonly #turns = new Turns();
  readonly #limit = pLimit(CONCURRENT_WRITES);
  /** Whether the last one could not be kept: that is said once, not for each of all devices. */
  #isFailing = false;

  private constructor(directory: string | undefined) {
    this.#directory = directory;
  }

  /**
   * Takes over what an earlier process has left. What cannot be read is logged and left where it is.
   *
   * @param directory Where notifications are kept; in memory without.
   * @returns The outbox.
   * @throws {ServiceError} `storage-failed` where the folder cannot be used.
   */
  static async open(directory?: string): Promise<Outbox> {
    const outbox = new Outbox(directory);
    if (directory !== undefined) {
      await storing(() => outbox.#load(directory), "Notifications cannot be kept");
    }
    return outbox;
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /**
   * The devices that something waits for.
   *
   * @returns Their ids.
   */
  devices(): string[] {
    return [...this.#waiting.keys()];
  }

  /**
   * Looks up what waits for a device.
   *
   * @param device A device id.
   * @returns It, if there is any.
   */
  get(device: string): Notification | undefined {
    return this.#waiting.get(device);
  }

  /**
   * Lets a notification wait, in place of an older one of the device. It can be got at once.
   *
   * @param notification What waits.
   * @returns Settles, and never fails, once it outlasts this process, or cannot be made to.
   */
  async put(notification: Notification): Promise<void> {
    this.#waiting.set(notification.device, notification);
    await this.#sync(notification.device);
  }

  /**
   * Forgets a notification, unless a newer one has taken its place.
   *
   * @param notification What is done.
   * @returns Settles, and never fails, once it is forgotten on disk, too.
   */
  async remove(notification: Notification): Promise<void> {
    if (this.#waiting.get(notification.device) !== notification) return;
    this.#waiting.delete(notification.device);
    await this.#sync(notification.device);
  }

  /**
   * Waits until what was put for a device outlasts this process.
   *
   * @param device A device id.
   * @returns Settles, and never fails.
   */
  async kept(device: string): Promise<void> {
    await this.#turns.settled(device);
  }

  /** Waits until the disk is as the memory is. */
  async settled(): Promise<void> {
    await this.#turns.settled();
  }

  /** Makes a device's file what is in memory by then. */
  async #sync(device: string): Promise<void> {
    const directory = this.#directory;
    if (directory === undefined) return;
    await this.#turns.take(device, () => this.#limit(() => this.#write(directory, device)));
  }

  async #write(directory: string, device: string): Promise<void> {
    const path = `${directory}/${fileNameOf(device)}`;
    const notification = this.#waiting.get(device);
    try {
      if (notification === undefined) return await removeIfThere(`${path}.json`);
      const { firmware, always } = notification;
      const { version, digest, size, crc32, sha256 } = firmware;
      const content = { device, always, firmware: { version, digest, size, crc32, sha256 } };
      await writeWhole(`${path}.json`, JSON.stringify(content), `${path}.draft`);
      await storing(() => syncFolder(directory));
      this.#isFailing = false;
    } catch (error) {
      const details = { device, reason: describeError(error) };
      if (this.#isFailing) log.debug("Notification still cannot be kept on disk", details);
      else log.warn("Notification cannot be kept on disk", details);
      this.#isFailing = true;
    }
  }

  async #load(directory: string): Promise<void> {
    await makeFolder(directory);
    for await (const { name } of Deno.readDir(directory)) {
      const path = `${directory}/${name}`;
      if (name.endsWith(".draft")) await removeIfThere(path);
      if (!name.endsWith(".json")) continue;
      try {
        const notification = v.parse(kept, JSON.parse(await readNote(path)));
        this.#waiting.set(notification.device, {
          ...notification,
          isConfirmed: false,
          replaces: undefined,
        });
      } catch (error) {
        log.warn("Notification cannot be read, leaving it out", {
          path,
          reason: describeError(error),
        });
      }
    }
  }
}
