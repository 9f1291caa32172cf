/**
 * A barrier that tests hold requests with, so that none of them needs to sleep.
 *
 * @module
 */

/** Holds all who come until it is opened, and tells when they have come. */
export class Gate {
  readonly #opened = Promise.withResolvers<void>();
  readonly #awaited: { readonly count: number; readonly reached: () => void }[] = [];
  #arrivals = 0;

  /** How many have come so far, held or not. */
  get arrivals(): number {
    return this.#arrivals;
  }

  /** Counts the caller in and holds it until {@linkcode open}; afterwards it holds nobody. */
  pass(): Promise<void> {
    this.#arrivals++;
    for (const { count, reached } of this.#awaited) if (this.#arrivals >= count) reached();
    return this.#opened.promise;
  }

  /** Waits until `count` callers in all have come. @param count @default 1 */
  async arrived(count = 1): Promise<void> {
    if (this.#arrivals >= count) return;
    const { promise, resolve: reached } = Promise.withResolvers<void>();
    this.#awaited.push({ count, reached });
    await promise;
  }

  /** Lets all go on, for good. */
  open(): void {
    this.#opened.resolve();
  }
}
