/**
 * Work at the same thing is done one piece after the other.
 *
 * @module
 */

/** Gives each piece of work its turn; work under different keys goes on side by side. */
export class Turns {
  /** The last in each line. */
  readonly #turns = new Map<string, Promise<unknown>>();

  /**
   * Waits until all that came before has ended, however it has ended, and does a piece of work.
   *
   * @param key What it is done at.
   * @param work Must not wait for another turn under the same key.
   * @returns Its outcome.
   */
  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(key);
    const turn = Promise.allSettled([before]).then(work);
    this.#turns.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(key) === turn) this.#turns.delete(key);
    }
  }

  /**
   * Waits until nothing that has come under a key so far is waiting for its turn, or has it.
   *
   * @param key What it is done at. @default everything
   * @returns Settles, and never fails.
   */
  async settled(key?: string): Promise<void> {
    await Promise.allSettled(key === undefined ? this.#turns.values() : [this.#turns.get(key)]);
  }
}
