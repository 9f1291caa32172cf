/**
 * The newest firmware of each device, in memory.
 *
 * @module
 */

import type { Firmware } from "./firmware.ts";

/** A device's firmware and what is known of its freshness. Times are of the manager's clock. */
export interface CacheEntry {
  /** The firmware. */
  readonly firmware: Firmware;
  /** Since when it is the device's, in milliseconds, as far as it can be told. */
  readonly sinceMs: number;
  /** When the source last said that it is the newest, in milliseconds. */
  readonly confirmedAtMs: number;
  /** How many checks have failed since. */
  readonly failures: number;
  /** The last of these failures, and when it was. */
  readonly failure?: { readonly error: unknown; readonly atMs: number };
  /** When the next check may be made after a failure, in milliseconds. */
  readonly retryAtMs: number;
}

/** Keeps a bounded number of devices; the one that was not asked for the longest goes first. */
export class FirmwareCache {
  readonly #capacity: number;
  /** In the order of use: a Map iterates in the order of insertion. */
  readonly #entries = new Map<string, CacheEntry>();

  /**
   * Makes an empty cache.
   *
   * @param capacity How many devices are kept.
   */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** How many devices are kept now. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Looks a device up.
   *
   * @param device A device id.
   * @returns Its entry, which thereby counts as used.
   */
  get(device: string): CacheEntry | undefined {
    const entry = this.#entries.get(device);
    if (entry !== undefined) this.set(device, entry);
    return entry;
  }

  /**
   * Looks a device up without counting it as used.
   *
   * @param device A device id.
   * @returns Its entry.
   */
  peek(device: string): CacheEntry | undefined {
    return this.#entries.get(device);
  }

  /**
   * All devices with their entries.
   *
   * @returns In the order of use, the least recently used first.
   */
  entries(): IterableIterator<[device: string, entry: CacheEntry]> {
    return this.#entries.entries();
  }

  /**
   * Changes what is kept for a device, if it still is kept. It does not count as used.
   *
   * @param device A device id.
   * @param entry What is kept for it from now on.
   */
  update(device: string, entry: CacheEntry): void {
    if (this.#entries.has(device)) this.#entries.set(device, entry);
  }

  /**
   * Keeps a device, at the cost of others where there are too many.
   *
   * @param device A device id.
   * @param entry What is kept for it from now on.
   */
  set(device: string, entry: CacheEntry): void {
    this.#entries.delete(device);
    this.#entries.set(device, entry);
    for (const leastRecentlyUsed of this.#entries.keys()) {
      if (this.#entries.size <= this.#capacity) break;
      this.#entries.delete(leastRecentlyUsed);
    }
  }

  /**
   * Forgets a device.
   *
   * @param device A device id.
   */
  delete(device: string): void {
    this.#entries.delete(device);
  }
}
