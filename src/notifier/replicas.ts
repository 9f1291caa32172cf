/**
 * What others announce, as a reason to look at the source.
 *
 * @module
 */

/** How long a device is left alone after it was checked for this reason, in milliseconds. */
const PAUSE_MS = 1000;

/** Options of {@linkcode Replicas}. */
export interface ReplicasOptions {
  /** Checks a device, and does not fail. */
  readonly check: (device: string) => Promise<void>;
  /** Waits; ends early, without failing, at the end of all. */
  readonly pause: (ms: number) => Promise<void>;
}

/**
 * Checks each device once for any number of announcements, and at most about once per second:
 * whoever may publish at the broker cannot make us storm the registry.
 */
export class Replicas {
  readonly #options: ReplicasOptions;
  /** Devices being checked, and whether to check again. */
  readonly #busy = new Map<string, { again: boolean }>();

  /**
   * Has heard of nothing yet.
   *
   * @param options What is done, and how time passes.
   */
  constructor(options: ReplicasOptions) {
    this.#options = options;
  }

  /**
   * Notes that somebody announced another firmware than we know.
   *
   * @param device A device that we know: strangers must not make us look for what they invent.
   */
  heard(device: string): void {
    const busy = this.#busy.get(device);
    if (busy === undefined) void this.#check(device);
    else busy.again = true;
  }

  async #check(device: string): Promise<void> {
    const busy = { again: true };
    this.#busy.set(device, busy);
    while (busy.again) {
      busy.again = false;
      await this.#options.check(device);
      await this.#options.pause(PAUSE_MS);
    }
    this.#busy.delete(device);
  }
}
