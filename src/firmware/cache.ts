/**
 * The firmware that each device was served last, in memory: one for each selection that it makes.
 *
 * @module
 */

import { deviceOfKey } from "../selection.ts";
import type { Firmware } from "./firmware.ts";

/**
 * So many selections of a device are kept: a device is often a kind of device, with hardware and
 * channels, but whoever invents selections must not fill the memory.
 */
export const SELECTIONS_LIMIT = 16;

/** A firmware and what is known of its freshness. Times are of the manager's clock. */
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

/** Options of {@linkcode FirmwareCache}. */
export interface FirmwareCacheOptions {
  /** Tells whether a key is never to go while its device stays. @default a device id alone */
  readonly isDefault?: (key: string) => boolean;
}

/**
 * Keeps a bounded number of devices, and of selections of each. What was not asked for the longest
 * goes first: a device with all its selections, or a selection among those of its device.
 */
export class FirmwareCache {
  readonly #capacity: number;
  readonly #isDefault: (key: string) => boolean;
  /** Both in the order of use: a Map iterates in the order of insertion. */
  readonly #devices = new Map<string, Map<string, CacheEntry>>();

  /**
   * Makes an empty cache.
   *
   * @param capacity How many devices are kept.
   * @param options Which selection of a device always stays.
   */
  constructor(
    capacity: number,
    { isDefault = (key) => key === deviceOfKey(key) }: FirmwareCacheOptions = {},
  ) {
    this.#capacity = capacity;
    this.#isDefault = isDefault;
  }

  /** How many devices are kept now. */
  get size(): number {
    return this.#devices.size;
  }

  /**
   * Looks a query up.
   *
   * @param key Of the query.
   * @returns Its entry, which thereby counts as used.
   */
  get(key: string): CacheEntry | undefined {
    const device = deviceOfKey(key);
    const entries = this.#devices.get(device);
    const entry = entries?.get(key);
    if (entries === undefined || entry === undefined) return undefined;
    this.#touch(device, entries, { key, entry });
    return entry;
  }

  /**
   * Looks a query up without counting it as used.
   *
   * @param key Of the query.
   * @returns Its entry.
   */
  peek(key: string): CacheEntry | undefined {
    return this.#devices.get(deviceOfKey(key))?.get(key);
  }

  /**
   * What is kept of a device.
   *
   * @param device A device id.
   * @returns Keys and entries, the least recently used first.
   */
  ofDevice(device: string): readonly (readonly [key: string, entry: CacheEntry])[] {
    return [...this.#devices.get(device) ?? []];
  }

  /**
   * All devices with their entries.
   *
   * @returns In the order of use, the least recently used first.
   */
  *entries(): Generator<readonly [device: string, entries: Iterable<CacheEntry>]> {
    for (const [device, entries] of this.#devices) yield [device, entries.values()];
  }

  /**
   * Changes what is kept for a query, if it still is kept. It does not count as used.
   *
   * @param key Of the query.
   * @param entry What is kept for it from now on.
   */
  update(key: string, entry: CacheEntry): void {
    const entries = this.#devices.get(deviceOfKey(key));
    if (entries?.has(key)) entries.set(key, entry);
  }

  /**
   * Keeps a query, at the cost of others where there are too many.
   *
   * @param key Of the query.
   * @param entry What is kept for it from now on.
   * @returns Keys of the same device that had to go.
   */
  set(key: string, entry: CacheEntry): readonly string[] {
    const device = deviceOfKey(key);
    const entries = this.#devices.get(device) ?? new Map<string, CacheEntry>();
    this.#touch(device, entries, { key, entry });
    for (const leastRecentlyUsed of this.#devices.keys()) {
      if (this.#devices.size <= this.#capacity) break;
      this.#devices.delete(leastRecentlyUsed);
    }
    return this.#dropSelections(entries, key);
  }

  /**
   * Forgets a query.
   *
   * @param key Of the query.
   */
  delete(key: string): void {
    const device = deviceOfKey(key);
    const entries = this.#devices.get(device);
    entries?.delete(key);
    if (entries?.size === 0) this.#devices.delete(device);
  }

  #touch(
    device: string,
    entries: Map<string, CacheEntry>,
    { key, entry }: { readonly key: string; readonly entry: CacheEntry },
  ): void {
    this.#devices.delete(device);
    this.#devices.set(device, entries);
    entries.delete(key);
    entries.set(key, entry);
  }

  #dropSelections(entries: Map<string, CacheEntry>, kept: string): readonly string[] {
    const excess = Math.max(0, entries.size - SELECTIONS_LIMIT);
    const dropped = [...entries.keys()].filter((key) => key !== kept && !this.#isDefault(key))
      .slice(0, excess);
    for (const key of dropped) entries.delete(key);
    return dropped;
  }
}
