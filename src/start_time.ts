/**
 * When this process has started.
 *
 * @module
 */

/** By so much the two clocks may drift apart before the one of the wall was set, in milliseconds. */
const DRIFT_MS = 2000;

/** The clocks that are compared. */
export interface StartTimeOptions {
  /** The time in milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
  /** How long the process runs, in milliseconds. @default performance.now */
  readonly uptime?: () => number;
}

/**
 * Tells when the process has started, by the clock of the wall as it stands now: a gateway without a
 * battery starts in the past, and what it wrote down then would be decades ago once its clock is set.
 */
export class StartTime {
  readonly #now: () => number;
  readonly #uptime: () => number;
  #toldMs: number;

  /**
   * Takes the clock of the wall for right.
   *
   * @param options Clocks.
   */
  constructor({ now = Date.now, uptime = () => performance.now() }: StartTimeOptions = {}) {
    this.#now = now;
    this.#uptime = uptime;
    this.#toldMs = now() - uptime();
  }

  /** The same each time, unless the clock was set: a change of it would pass for a restart. */
  get date(): Date {
    const startedMs = this.#now() - this.#uptime();
    if (Math.abs(startedMs - this.#toldMs) > DRIFT_MS) this.#toldMs = startedMs;
    return new Date(this.#toldMs);
  }
}
