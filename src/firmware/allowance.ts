/**
 * How often a device may ask for what it has not asked for before.
 *
 * @module
 */

import { LRUCache } from "lru-cache";
import { ServiceError } from "../errors.ts";

/**
 * So many new selections of a device are looked up in one period. A fleet has a few; whoever
 * invents more does not make the source be asked for each, nor push out what others have asked for.
 */
export const NEW_SELECTIONS_LIMIT = 30;

/** How long a period is, in milliseconds. */
export const ALLOWANCE_PERIOD_MS = 60_000;

/** So many devices are counted at once, the latest ones. */
const DEVICES_LIMIT = 10_000;

interface Period {
  readonly endsAtMs: number;
  left: number;
}

/** Counts new selections. */
export class Allowance {
  readonly #now: () => number;
  readonly #periods = new LRUCache<string, Period>({ max: DEVICES_LIMIT });

  /**
   * Has counted nothing yet.
   *
   * @param now A steady clock in milliseconds.
   */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Counts a new selection.
   *
   * @param device Whose.
   * @throws {ServiceError} `firmware-unavailable` where there were too many in this period.
   */
  take(device: string): void {
    const nowMs = this.#now();
    let period = this.#periods.get(device);
    if (period === undefined || nowMs >= period.endsAtMs) {
      period = { endsAtMs: nowMs + ALLOWANCE_PERIOD_MS, left: NEW_SELECTIONS_LIMIT };
      this.#periods.set(device, period);
    }
    if (period.left === 0) {
      throw new ServiceError(
        "firmware-unavailable",
        `Too much of what device '${device}' asks for is new, ask again later`,
        { retryAfterSeconds: Math.ceil((period.endsAtMs - nowMs) / 1000) },
      );
    }
    period.left--;
  }
}
