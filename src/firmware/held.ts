/**
 * Firmware that is no longer the newest but was announced a moment ago.
 *
 * @module
 */

import type { Digest } from "../digest.ts";
import type { Firmware } from "./firmware.ts";

interface Held {
  readonly key: string;
  readonly firmware: Firmware;
  readonly untilMs: number;
}

/**
 * Keeps replaced firmware as long as a device that heard of it may still come for it. All are held
 * for the same time, so the oldest is always the first to go.
 */
export class HeldFirmware {
  readonly #holdMs: number;
  readonly #held: Held[] = [];

  /**
   * Holds nothing yet.
   *
   * @param holdMs How long each is held, in milliseconds.
   */
  constructor(holdMs: number) {
    this.#holdMs = holdMs;
  }

  /**
   * Holds a firmware from now on.
   *
   * @param key Of the query that was answered with it.
   * @param firmware What may still be asked for.
   * @param nowMs Now, in milliseconds of any steady clock.
   */
  add(key: string, firmware: Firmware, nowMs: number): void {
    this.#held.push({ key, firmware, untilMs: nowMs + this.#holdMs });
  }

  /**
   * Looks for a firmware.
   *
   * @param key Of the query that was answered with it.
   * @param digest Which.
   * @returns It, where it is still held.
   */
  find(key: string, digest: Digest): Firmware | undefined {
    return this.#held.find((held) => held.key === key && held.firmware.digest === digest)
      ?.firmware;
  }

  /**
   * Lets go of what was held long enough.
   *
   * @param nowMs Now, by the same clock.
   */
  expire(nowMs: number): void {
    if (this.#held.length === 0) return;
    const live = this.#held.findIndex(({ untilMs }) => untilMs > nowMs);
    this.#held.splice(0, live === -1 ? this.#held.length : live);
  }
}
