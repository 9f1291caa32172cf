/**
 * What is known of announcements: what this process was told, what the broker has, and what was
 * sent a moment ago.
 *
 * @module
 */

import { LRUCache } from "lru-cache";
import { type AnnouncedFirmware, type AnnouncedName, isSame } from "./message.ts";

/** Of so many devices it is known what was announced; beyond it some are announced again. */
const KNOWN_DEVICES = 10_000;

/** What a webhook brought is not published once more for its own sake, in milliseconds. */
const JUST_SENT_MS = 2000;

/** Remembers announcements, and compares them. */
export class Announced {
  readonly #now: () => number;
  /** What this process was told of each device. */
  readonly #own = new LRUCache<string, AnnouncedFirmware>({ max: KNOWN_DEVICES });
  /** What the broker has of each device, as far as we know. */
  readonly #atBroker = new LRUCache<string, AnnouncedName>({ max: KNOWN_DEVICES });
  /** What was last sent of each device, and when. */
  readonly #sent = new LRUCache<string, { name: AnnouncedName; atMs: number }>({
    max: KNOWN_DEVICES,
  });

  /**
   * Knows nothing yet.
   *
   * @param now A steady clock in milliseconds.
   */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Notes what this process is told.
   *
   * @param device A device id.
   * @param firmware What it may have.
   * @returns Whether it was told the same before.
   */
  learn(device: string, firmware: AnnouncedFirmware): boolean {
    const isKnown = isSame(this.#own.get(device), firmware);
    this.#own.set(device, firmware);
    return isKnown;
  }

  /**
   * What the broker has.
   *
   * @param device A device id.
   * @returns What it announces; undefined where it has nothing, or that is not known.
   */
  atBroker(device: string): AnnouncedName | undefined {
    return this.#atBroker.get(device);
  }

  /**
   * Notes what the broker has.
   *
   * @param device A device id.
   * @param name What it announces, if it does.
   */
  heard(device: string, name: AnnouncedName | undefined): void {
    if (name === undefined) this.#atBroker.delete(device);
    else this.#atBroker.set(device, name);
  }

  /** Forgets what the broker has: the next connection may be to one that has something else. */
  forgetBroker(): void {
    this.#atBroker.clear();
  }

  /**
   * What this process was told, and the broker does not have.
   *
   * @returns Each device with its firmware.
   */
  *missing(): Generator<readonly [device: string, firmware: AnnouncedFirmware]> {
    for (const [device, firmware] of this.#own.entries()) {
      if (!this.#atBroker.has(device)) yield [device, firmware];
    }
  }

  /**
   * Tells whether somebody announces what this process was not told.
   *
   * @param device A device id.
   * @param name What is announced; the Rust OtaFlux says no digest.
   * @returns Whether it is another firmware; never of a device that this process knows nothing of.
   */
  isOthers(device: string, name: AnnouncedName): boolean {
    const own = this.#own.get(device);
    return own !== undefined &&
      (own.version !== name.version || own.digest !== (name.digest ?? own.digest));
  }

  /**
   * Notes that a firmware is sent now.
   *
   * @param device A device id.
   * @param name Which.
   */
  sending(device: string, name: AnnouncedName): void {
    this.#sent.set(device, { name, atMs: this.#now() });
  }

  /**
   * Tells whether a firmware was sent so short a time ago that another message would be the same.
   *
   * @param device A device id.
   * @param name Which.
   * @returns Whether it was, whether the broker has confirmed it or not.
   */
  isJustSent(device: string, name: AnnouncedName): boolean {
    const last = this.#sent.get(device);
    return last !== undefined && isSame(last.name, name) && this.#now() - last.atMs < JUST_SENT_MS;
  }
}
