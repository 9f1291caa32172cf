/**
 * What is known of each query: the firmware that it is answered with, what was replaced a moment
 * ago, and what is refused. What comes of a check is taken down here.
 *
 * @module
 */

import { backoffMs } from "../backoff.ts";
import type { Digest } from "../digest.ts";
import { describeError, isServiceError, type ServiceError } from "../errors.ts";
import { logger } from "../log.ts";
import { deviceOfKey, keyOf, partOf, queryOfKey } from "../selection.ts";
import { type CacheEntry, FirmwareCache } from "./cache.ts";
import type {
  AnnounceOptions,
  Firmware,
  FirmwareNotifier,
  FirmwareObserver,
  FirmwareStore,
} from "./firmware.ts";
import { HeldFirmware } from "./held.ts";
import { PAUSES } from "./pauses.ts";
import { askedBy, type QueryKeys } from "./query_keys.ts";
import { Refusals, type Refused } from "./refusals.ts";

const log = logger("firmware");

/** Options of {@linkcode KnownFirmware}. */
export interface KnownFirmwareOptions {
  /** Tells what a device gets by its id alone. */
  readonly keys: QueryKeys;
  /** Where firmware is kept over restarts. */
  readonly store: Pick<FirmwareStore, "save" | "remove">;
  /** Told of what changes, for metrics. */
  readonly observer: Pick<FirmwareObserver, "miss" | "entries" | "checkFailed">;
  /** Told which firmware devices may have. @default nobody */
  readonly notifier?: FirmwareNotifier | undefined;
  /** How many devices are kept in memory. */
  readonly cacheSize: number;
  /** How long replaced firmware can still be had, in milliseconds. */
  readonly holdMs: number;
  /** How long an id is remembered that the source does not know, in milliseconds. */
  readonly unknownForMs: number;
  /** Told of a query that is not to be answered from here any more. */
  readonly onDrop: (key: string) => void;
  /** A steady clock in milliseconds. */
  readonly now: () => number;
  /** A number from 0 up to 1. */
  readonly random: () => number;
}

/** Keeps what is known, tells whom it concerns when that changes, and asks nobody. */
export class KnownFirmware {
  readonly #options: KnownFirmwareOptions;
  readonly #cache: FirmwareCache;
  readonly #held: HeldFirmware;
  readonly #refusals: Refusals;

  /**
   * Knows nothing yet.
   *
   * @param options How much is kept, for how long, and who is told.
   */
  constructor(options: KnownFirmwareOptions) {
    const { keys, cacheSize, holdMs } = options;
    this.#options = options;
    this.#cache = new FirmwareCache(cacheSize, { isDefault: (key) => keys.isDefault(key) });
    this.#held = new HeldFirmware(holdMs);
    this.#refusals = new Refusals(options);
  }

  /** The firmware in memory, to be looked up: it changes only by what is taken down here. */
  get cache(): Pick<FirmwareCache, "get" | "peek" | "ofDevice" | "entries" | "size"> {
    return this.#cache;
  }

  /**
   * What to answer without asking the source.
   *
   * @param key Of a query without firmware.
   * @returns The error, or undefined where the source is to be asked.
   */
  refusal(key: string): ServiceError | undefined {
    return this.#refusals.find(key);
  }

  /**
   * Queries for which the source has something that cannot be had.
   *
   * @returns Each with what is wrong.
   */
  failing(): Generator<readonly [key: string, refused: Refused]> {
    return this.#refusals.failing();
  }

  /**
   * Holds a firmware for those who were told of it, whichever version they ask for.
   *
   * @param key Of the query that was answered with it.
   * @param firmware What may still be asked for.
   */
  hold(key: string, firmware: Firmware): void {
    this.#held.add(partKeyOf(key), firmware, this.#options.now());
  }

  /**
   * Looks for a firmware that was replaced.
   *
   * @param key Of a query for the same device, hardware and file.
   * @param digest Which.
   * @returns It, where it is still held.
   */
  held(key: string, digest: Digest): Firmware | undefined {
    return this.#held.find(partKeyOf(key), digest);
  }

  /**
   * Lets go of replaced firmware that was held long enough.
   *
   * @param nowMs Now, by the clock of the options.
   */
  expire(nowMs: number): void {
    this.#held.expire(nowMs);
  }

  /**
   * What the device is served for other selections of the same hardware and file.
   *
   * @param key Of a query.
   * @returns Its neighbours.
   */
  others(key: string): readonly CacheEntry[] {
    const part = partKeyOf(key);
    return this.#cache.ofDevice(deviceOfKey(key))
      .filter(([other]) => other !== key && partKeyOf(other) === part)
      .map(([, entry]) => entry);
  }

  /**
   * A version by its name is what the device is served under that name already, if it is: who was
   * told of it comes for it, whether the source can be asked or not.
   *
   * @param key Of a query that is not kept.
   * @param own What the device is served without a name: it may have lost its place in the cache.
   * @returns What is kept for it from now on; undefined where nothing has that name.
   */
  async share(key: string, own?: CacheEntry): Promise<CacheEntry | undefined> {
    const query = queryOfKey(key);
    const { version } = query.selection;
    if (version === undefined) return undefined;
    const served = own === undefined ? this.others(key) : [own, ...this.others(key)];
    const entry = served.find(({ firmware }) => firmware.version === version);
    if (entry === undefined) return undefined;
    const { firmware } = entry;
    const layer = { digest: `sha256:${firmware.sha256}`, sha256: undefined } as const;
    try {
      await this.#options.store.save(query, { firmware, documents: [], layer });
    } catch (error) {
      // It is served from what is there; only a restart would forget it.
      log.debug("Cannot write a version down", { key, reason: describeError(error) });
    }
    this.#keep(key, entry);
    return entry;
  }

  /**
   * Takes down what an earlier process has left.
   *
   * @param key Of the query that it was left for.
   * @param firmware What may be served.
   * @param savedAtMs When it was written down, in milliseconds of the manager's clock.
   * @returns What is kept for the query from now on.
   */
  restore(key: string, firmware: Firmware, savedAtMs: number): CacheEntry {
    const loaded = {
      firmware,
      sinceMs: savedAtMs,
      confirmedAtMs: savedAtMs,
      failures: 0,
      retryAtMs: 0,
    };
    this.#keep(key, loaded);
    // The earlier process may have ended before it was told.
    this.#announce(key, firmware, { isConfirmed: false });
    return loaded;
  }

  /**
   * Takes down which firmware the source says is the newest.
   *
   * @param key Of the query that was checked.
   * @param newest What was found.
   * @param known What was known when the check began.
   */
  confirm(key: string, newest: Firmware, known: Firmware | undefined): void {
    const { observer, now } = this.#options;
    const before = this.#cache.peek(key);
    if (newest.digest !== known?.digest) observer.miss(deviceOfKey(key));
    // Another one may have been brought back from the store, and served, while the check waited.
    for (const replaced of new Set([known, before?.firmware])) {
      if (replaced !== undefined && replaced.digest !== newest.digest) this.hold(key, replaced);
    }
    if (before !== undefined && before.failures > 0) {
      log.info("Firmware is checked again", { ...askedBy(key), version: newest.version });
    }
    const nowMs = now();
    const isSame = before?.firmware.digest === newest.digest;
    const sinceMs = isSame ? before.sinceMs : nowMs;
    const entry = { firmware: newest, sinceMs, confirmedAtMs: nowMs, failures: 0, retryAtMs: 0 };
    // A check does not count as use; a device that lost its place meanwhile gets a new one, since
    // others may have joined who wait for it.
    if (before === undefined) this.#keep(key, entry);
    else this.#cache.update(key, entry);
    this.#refusals.delete(key);
    const isNews = newest.digest !== known?.digest || newest.version !== known.version;
    if (isNews) this.#announce(key, newest);
  }

  /**
   * Takes down that the source has nothing, or nothing of the kind.
   *
   * @param key Of the query that was checked.
   * @param known What was known when the check began.
   * @param error What the source said.
   * @throws {ServiceError} `storage-failed`
   */
  async forget(key: string, known: Firmware | undefined, error: ServiceError): Promise<void> {
    const { store, observer, onDrop } = this.#options;
    if (known !== undefined) {
      log.info("Firmware is gone from the source", { ...askedBy(key), version: known.version });
      this.hold(key, known);
      this.#cache.delete(key);
      onDrop(key);
      observer.entries(this.#cache.size);
      await store.remove(queryOfKey(key));
    }
    this.#refusals.add(key, error);
  }

  /**
   * Takes down that a check has failed. What was verified before goes on being served; the log hears
   * of it once, not at each try.
   *
   * @param key Of the query that was checked.
   * @param error What went wrong.
   */
  fail(key: string, error: unknown): void {
    const { observer, now, random } = this.#options;
    if (isServiceError(error)) observer.checkFailed(error.code);
    const entry = this.#cache.peek(key);
    if (entry === undefined) {
      this.#refusals.add(key, error);
      return;
    }
    const failures = entry.failures + 1;
    if (failures === 1) {
      log.warn("Cannot check for a newer firmware, serving the known one", {
        ...askedBy(key),
        version: entry.firmware.version,
        reason: describeError(error),
      });
    }
    const atMs = now();
    const retryAtMs = atMs + backoffMs(failures, random(), PAUSES);
    this.#cache.update(key, { ...entry, failures, failure: { error, atMs }, retryAtMs });
  }

  #keep(key: string, entry: CacheEntry): void {
    const { observer, onDrop } = this.#options;
    for (const dropped of this.#cache.set(key, entry)) onDrop(dropped);
    observer.entries(this.#cache.size);
  }

  /** Who listens hears of the newest firmware, not of what others have asked for besides. */
  #announce(key: string, firmware: Firmware, options?: AnnounceOptions): void {
    const { keys, notifier } = this.#options;
    if (!keys.isDefault(key)) return;
    void notifier?.announce(deviceOfKey(key), firmware, options);
  }
}

/** What decides which bytes of an artifact are meant: who asks by a version gets the same ones. */
function partKeyOf(key: string): string {
  const { device, selection } = queryOfKey(key);
  return keyOf({ device, selection: partOf(selection) });
}
