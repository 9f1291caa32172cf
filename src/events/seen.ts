/**
 * Which events were taken before: a registry that did not hear our answer sends an event again.
 *
 * @module
 */

/** Options of {@linkcode SeenEvents}. */
export interface SeenEventsOptions {
  /** How many are remembered, the latest ones. */
  readonly limit: number;
  /** For how long, in milliseconds. */
  readonly keepMs: number;
  /** The time in milliseconds since 1970: it has to mean something to the next process. */
  readonly now: () => number;
}

/** Remembers ids of events, in the order in which they were taken. */
export class SeenEvents {
  readonly #options: SeenEventsOptions;
  readonly #times = new Map<string, number>();

  /**
   * Remembers nothing yet.
   *
   * @param options How much, and for how long.
   */
  constructor(options: SeenEventsOptions) {
    this.#options = options;
  }

  /** Each id with the time in milliseconds when it was taken, oldest first. */
  get entries(): readonly (readonly [id: string, takenMs: number])[] {
    return [...this.#times];
  }

  /**
   * Whether an event was taken before.
   *
   * @param id Its id.
   * @returns Whether it was, as far as that is remembered.
   */
  has(id: string): boolean {
    this.#forgetOld();
    return this.#times.has(id);
  }

  /**
   * Remembers an event.
   *
   * @param id Its id.
   * @param takenMs When it was taken. @default now
   */
  add(id: string, takenMs: number = this.#options.now()): void {
    this.#times.delete(id);
    this.#times.set(id, takenMs);
    this.#forgetOld();
  }

  #forgetOld(): void {
    const { limit, keepMs, now } = this.#options;
    const oldestMs = now() - keepMs;
    for (const [id, takenMs] of this.#times) {
      if (this.#times.size <= limit && takenMs > oldestMs) return;
      this.#times.delete(id);
    }
  }
}
