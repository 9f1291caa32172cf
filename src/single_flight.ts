/**
 * Work that a crowd asks for at once is done once.
 *
 * @module
 */

/** Runs at most one piece of work per key at a time and shares its outcome. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Promise<T>>();

  /**
   * Joins the work under way for a key, or starts it. Who joins later gets work of its own: nothing
   * is remembered once it is done.
   *
   * @param key What the work is for.
   * @param start Starts the work.
   * @returns Its outcome, the same for all who joined, failures included.
   */
  join(key: string, start: () => Promise<T>): Promise<T> {
    const joined = this.#flights.get(key);
    if (joined !== undefined) return joined;
    const flight = start().finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }

  /**
   * Whether work is under way.
   *
   * @param key What the work is for.
   * @returns Whether who joins now gets a part of it.
   */
  has(key: string): boolean {
    return this.#flights.has(key);
  }

  /**
   * Waits for the end of the work under way, if there is any.
   *
   * @param key What the work is for.
   * @returns Settles with it, and never fails.
   */
  async settled(key: string): Promise<void> {
    await Promise.allSettled([this.#flights.get(key)]);
  }
}
