/**
 * Which bytes a device may have: the newest version of its repository, verified, at once where it
 * was asked for before.
 *
 * @module
 */

import pLimit, { type LimitFunction } from "p-limit";
import { describeError, isServiceError, ServiceError } from "../errors.ts";
import { logger } from "../log.ts";
import { isRepositoryName, repositoryOf } from "../repository.ts";
import {
  asQuery,
  deviceOfKey,
  formatSelection,
  keyOf,
  partOf,
  queryOfKey,
  type Question,
  type Selection,
  withDefaults,
} from "../selection.ts";
import { SingleFlight } from "../single_flight.ts";
import { Allowance } from "./allowance.ts";
import { backoffMs } from "./backoff.ts";
import { CircuitBreaker } from "./breaker.ts";
import { type CacheEntry, FirmwareCache } from "./cache.ts";
import type { DowngradeGuard } from "./downgrade.ts";
import type {
  AnnounceOptions,
  Firmware,
  FirmwareName,
  FirmwareNotifier,
  FirmwareObserver,
  FirmwareReader,
  FirmwareSource,
  FirmwareStore,
  FirmwareVerifier,
} from "./firmware.ts";
import { HeldFirmware } from "./held.ts";
import { FirmwareLookup } from "./lookup.ts";
import { Refresher } from "./refresher.ts";
import { Refusals } from "./refusals.ts";
import { deviceStatuses, failureOf, type FirmwareStatus } from "./status.ts";

const log = logger("firmware");

/** The source says that there is nothing, or nothing of the kind. */
const NOTHING_THERE = ["firmware-unknown", "selection-unmatched"] as const;

/** What may end otherwise the next time, of one selection among others. */
const WORTH_ANOTHER_TRY = [
  "source-unavailable",
  "source-timeout",
  "source-refused",
  "source-invalid",
  "storage-failed",
] as const;

/** Options of {@linkcode FirmwareManager}. */
export interface FirmwareManagerOptions {
  /** Where firmware comes from. */
  readonly source: FirmwareSource;
  /** Where firmware is kept. */
  readonly store: FirmwareStore;
  /** Says who may release firmware; without one everybody may who can push. */
  readonly verifier?: FirmwareVerifier | undefined;
  /** Told of what happens, for metrics. */
  readonly observer: FirmwareObserver;
  /** Told which firmware devices may have. @default nobody */
  readonly notifier?: FirmwareNotifier | undefined;
  /** How many devices are kept in memory. */
  readonly cacheSize: number;
  /** How long an answer of the source holds, in milliseconds; 0 asks it each time. */
  readonly refreshIntervalMs: number;
  /** How long a device is checked after it was asked for, in milliseconds. */
  readonly trackForMs: number;
  /** How long an id is remembered that the source does not know, in milliseconds. */
  readonly unknownForMs: number;
  /** How many requests the source gets at once. */
  readonly concurrency: number;
  /** How long replaced firmware can still be had, in milliseconds. */
  readonly holdMs: number;
  /** The largest firmware that is accepted, in bytes. */
  readonly maxFirmwareBytes: number;
  /** What is looked for where a request does not say. @default the newest of all */
  readonly defaults?: Selection;
  /** Refuses lower versions than before, where that is wanted. */
  readonly guard?: DowngradeGuard | undefined;
  /** A steady clock in milliseconds. @default performance.now */
  readonly now?: () => number;
  /** A number from 0 up to 1. @default Math.random */
  readonly random?: () => number;
}

/** Answers the one question of all devices: which firmware may I have? */
export class FirmwareManager {
  readonly #observer: FirmwareObserver;
  readonly #options: FirmwareManagerOptions;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #store: FirmwareStore;
  readonly #lookup: FirmwareLookup;
  readonly #breaker: CircuitBreaker;
  readonly #limit: LimitFunction;
  readonly #limitBehind: LimitFunction;
  readonly #refresher: Refresher;
  readonly #cache: FirmwareCache;
  readonly #held: HeldFirmware;
  readonly #refusals: Refusals;
  readonly #allowance: Allowance;
  readonly #checks = new SingleFlight<Firmware>();
  readonly #announced = new SingleFlight<Firmware>();
  readonly #loads = new SingleFlight<CacheEntry | undefined>();
  #fetchedAgain: { count: number; lastMs: number | undefined } = { count: 0, lastMs: undefined };

  /**
   * Knows no firmware yet.
   *
   * @param options What it works with.
   */
  constructor(options: FirmwareManagerOptions) {
    const { now = () => performance.now(), random = Math.random } = options;
    this.#options = options;
    this.#observer = options.observer;
    this.#store = options.store;
    this.#now = now;
    this.#random = random;
    this.#breaker = new CircuitBreaker({
      now,
      random,
      onChange: (isUp, failure) => this.#sourceChanged(isUp, failure),
    });
    this.#lookup = new FirmwareLookup({ ...options, now, onAnswer: () => this.#breaker.succeed() });
    this.#limit = pLimit(options.concurrency);
    // However many checks are due, a device that waits does not stand in line behind them.
    this.#limitBehind = pLimit(Math.max(1, options.concurrency - 1));
    this.#refresher = new Refresher({
      now,
      random,
      intervalMs: options.refreshIntervalMs,
      trackForMs: options.trackForMs,
      check: (key) => this.#checkBehind(key),
    });
    this.#cache = new FirmwareCache(options.cacheSize, {
      isDefault: (key) => this.#isDefault(key),
    });
    this.#allowance = new Allowance(now);
    this.#held = new HeldFirmware(options.holdMs);
    this.#refusals = new Refusals({ now, random, unknownForMs: options.unknownForMs });
    this.#observer.sourceUp(true);
  }

  /** Starts to check devices in the background. */
  start(): void {
    this.#refresher.start();
  }

  /** Starts no further check in the background. */
  stop(): void {
    this.#refresher.stop();
  }

  /**
   * The newest firmware that a device asks for. What is in the cache is given at once, however old
   * it is, and a check is started behind it where it is due. Only where a refresh interval of 0 asks
   * for it, or nothing is known, the source is waited for.
   *
   * @param question Who asks, and for what.
   * @returns Verified firmware.
   * @throws {ServiceError} With any code but `firmware-gone`.
   */
  async get(question: Question): Promise<Firmware> {
    this.#held.expire(this.#now());
    const key = this.#keyOf(question);
    const entry = this.#cache.get(key) ?? await this.#load(key) ?? await this.#share(key);
    if (entry === undefined) return await this.#first(key);
    const { refreshIntervalMs } = this.#options;
    if (refreshIntervalMs === 0) return await this.#checkOrKeep(key, entry.firmware);
    this.#refresher.asked(key);
    this.#observer.hit(deviceOfKey(key));
    if (this.#now() - entry.confirmedAtMs >= refreshIntervalMs) this.#checkBehind(key);
    return entry.firmware;
  }

  /**
   * The very firmware that was announced before, although a newer one may have come since.
   *
   * @param question Who asks, and for what: the same as when it was announced.
   * @param name What was announced.
   * @returns Exactly that firmware, verified.
   * @throws {ServiceError} `firmware-gone` where nobody has it any more, or another code.
   */
  async getAnnounced(question: Question, name: FirmwareName): Promise<Firmware> {
    const key = this.#keyOf(question);
    try {
      const newest = await this.get(question);
      if (newest.digest === name.digest) return newest;
    } catch (error) {
      const held = this.#held.find(key, name.digest);
      if (held !== undefined) return held;
      // A source that could not be asked for the newest cannot be asked for this one either.
      if (
        !isServiceError(
          error,
          "firmware-unknown",
          "selection-unmatched",
          "artifact-invalid",
          "signature-invalid",
        )
      ) {
        throw error;
      }
    }
    return this.#held.find(key, name.digest) ?? await this.#fetchAnnounced(key, name);
  }

  /**
   * The bytes of a firmware.
   *
   * @param question Who has asked, and for what.
   * @param firmware What was given by {@linkcode get} or {@linkcode getAnnounced}.
   * @returns Its bytes, to be closed; fetched again where the store does not have them any more.
   * @throws {ServiceError} With any code.
   */
  async open(question: Question, firmware: Firmware): Promise<FirmwareReader> {
    const body = await this.#store.open(firmware.sha256);
    if (body !== undefined) return body;
    const key = this.#keyOf(question);
    log.info("Firmware is not in the store any more, fetching it again", {
      device: deviceOfKey(key),
      version: firmware.version,
    });
    this.#fetchedAgain = { count: this.#fetchedAgain.count + 1, lastMs: this.#now() };
    const { sha256 } = await this.#fetchAnnounced(key, firmware);
    const fetched = await this.#store.open(sha256);
    if (fetched !== undefined) return fetched;
    throw new ServiceError("storage-failed", "Firmware does not stay in the store");
  }

  /**
   * Checks a device now, past every interval, whether anybody asks for it or not; with all that it
   * has asked for besides its newest firmware.
   *
   * @param device A device id.
   * @returns The newest firmware, once the source has confirmed it.
   * @throws {ServiceError} With any code but `firmware-gone`; what was known is served still.
   */
  async refresh(device: string): Promise<Firmware> {
    const key = this.#keyOf(device);
    const others = this.#cache.ofDevice(device).map(([other]) => other)
      .filter((other) => other !== key);
    // One that is under way may have looked before that happened for which we are called.
    await Promise.all([key, ...others].map((each) => this.#checks.settled(each)));
    this.#lookup.forgetTags(device);
    // What an earlier process has left would be served on although the source says that it is gone.
    if (this.#cache.peek(key) === undefined) await this.#load(key);
    const [newest, ...rest] = await Promise.allSettled(
      [key, ...others].map((each) => this.#join(each)),
    );
    if (newest?.status !== "fulfilled") throw newest?.reason;
    const failed = rest.find((result) =>
      result.status === "rejected" && isServiceError(result.reason, ...WORTH_ANOTHER_TRY)
    );
    if (failed?.status === "rejected") throw failed.reason;
    return newest.value;
  }

  /**
   * Waits for the check of a query that is under way, if there is any.
   *
   * @param question Who has asked, and for what.
   * @returns Settles with it, and never fails.
   */
  async settled(question: Question): Promise<void> {
    await this.#checks.settled(this.#keyOf(question));
  }

  /**
   * Tells whether anything can be served. A source that was found silent is asked again behind it:
   * else nobody would be sent here who could find out that it is back.
   *
   * @returns Whether the source answers, as far as known, or some firmware is kept.
   */
  isReady(): boolean {
    if (this.#breaker.isUp) return true;
    if (this.#breaker.admits) {
      void this.#breaker.run(() => this.#options.source.ping()).catch(() => {});
    }
    return this.#store.bytes > 0;
  }

  /**
   * How long ago the source last said that a firmware is the newest that is asked for.
   *
   * @param question Who asks, and for what.
   * @param firmware What it is served.
   * @returns Seconds, or undefined where it is not what would be served now.
   */
  ageSeconds(question: Question, firmware: FirmwareName): number | undefined {
    const entry = this.#cache.peek(this.#keyOf(question));
    return entry?.firmware.digest === firmware.digest ? this.#ageSeconds(entry) : undefined;
  }

  /**
   * How stale the answers are.
   *
   * @returns Each device in the cache, with the seconds since the source confirmed what it is
   * served, the stalest of it; 0 where nothing hinders the next check.
   */
  *staleness(): Generator<readonly [device: string, seconds: number]> {
    for (const [device, entries] of this.#cache.entries()) {
      const hindered = [...entries].filter(({ failures }) => failures > 0 || !this.#breaker.isUp);
      yield [device, Math.max(0, ...hindered.map((entry) => this.#ageSeconds(entry)))];
    }
  }

  /**
   * How long ago the source last confirmed the firmware of any device in the cache.
   *
   * @returns Seconds; undefined where there is none.
   */
  lastCheckSeconds(): number | undefined {
    let least: number | undefined;
    for (const [, entries] of this.#cache.entries()) {
      for (const entry of entries) least = Math.min(least ?? Infinity, this.#ageSeconds(entry));
    }
    return least;
  }

  /**
   * How things stand.
   *
   * @returns What is known now; its devices are to be read at once.
   */
  status(): FirmwareStatus {
    const nowMs = this.#now();
    const { silence } = this.#breaker;
    const { count, lastMs } = this.#fetchedAgain;
    return {
      silence: silence && failureOf(silence.error, {
        agoMs: nowMs - silence.sinceMs,
        retryInMs: silence.pauseEndsMs - nowMs,
      }),
      places: { taken: this.#cache.size, limit: this.#options.cacheSize },
      tracked: this.#refresher.size,
      fetchedAgain: { count, lastAgoMs: lastMs === undefined ? undefined : nowMs - lastMs },
      devices: deviceStatuses({
        cached: this.#cache.entries(),
        refused: this.#refusals.failing(),
        areSigned: this.#options.verifier !== undefined,
        nowMs,
      }),
    };
  }

  #ageSeconds({ confirmedAtMs }: CacheEntry): number {
    return (this.#now() - confirmedAtMs) / 1000;
  }

  /** What the operator wants where the request does not say is part of what is asked. */
  #keyOf(question: Question): string {
    const { device, selection } = asQuery(question);
    // What is no device id must not become one by what is behind a question mark.
    if (device.includes("?")) repositoryOf(device, "");
    return keyOf({ device, selection: withDefaults(selection, this.#options.defaults ?? {}) });
  }

  #isDefault(key: string): boolean {
    return key === this.#keyOf(deviceOfKey(key));
  }

  #keep(key: string, entry: CacheEntry): void {
    for (const dropped of this.#cache.set(key, entry)) this.#refresher.forget(dropped);
    this.#observer.entries(this.#cache.size);
  }

  /** Who listens hears of the newest firmware, not of what others have asked for besides. */
  #announce(key: string, firmware: Firmware, options?: AnnounceOptions): void {
    if (!this.#isDefault(key)) return;
    void this.#options.notifier?.announce(deviceOfKey(key), firmware, options);
  }

  /** What the device is served for other selections of the same hardware and file. */
  #others(key: string): readonly CacheEntry[] {
    const { device, selection } = queryOfKey(key);
    const part = formatSelection(partOf(selection));
    return this.#cache.ofDevice(device).filter(([other]) =>
      other !== key && formatSelection(partOf(queryOfKey(other).selection)) === part
    ).map(([, entry]) => entry);
  }

  /**
   * A version by its name is what the device is served under that name already, if it is: who was
   * told of it comes for it, whether the source can be asked or not.
   */
  async #share(key: string): Promise<CacheEntry | undefined> {
    const query = queryOfKey(key);
    const { version } = query.selection;
    if (version === undefined) return undefined;
    const entry = this.#others(key).find(({ firmware }) => firmware.version === version);
    if (entry === undefined) return undefined;
    const { firmware } = entry;
    const layer = { digest: `sha256:${firmware.sha256}`, sha256: undefined } as const;
    try {
      await this.#store.save(query, { firmware, documents: [], layer });
    } catch (error) {
      // It is served from what is there; only a restart would forget it.
      log.debug("Cannot write a version down", { key, reason: describeError(error) });
    }
    this.#keep(key, entry);
    return entry;
  }

  /** What an earlier process, or an earlier place in the cache, has left. */
  async #load(key: string): Promise<CacheEntry | undefined> {
    return await this.#loads.join(key, async () => {
      if (!isRepositoryName(deviceOfKey(key))) return undefined;
      const stored = await this.#store.load(queryOfKey(key));
      const entry = this.#cache.peek(key);
      if (stored === undefined || entry !== undefined) return entry;
      const { firmware, savedAt, policy } = stored;
      if (!this.#lookup.trusts(policy) && !await this.#reverify(key, firmware)) return undefined;
      // The clock of the wall may have been set back since.
      const ageMs = Math.max(0, Date.now() - savedAt.getTime());
      const savedAtMs = this.#now() - ageMs;
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
    });
  }

  /** Keys may have changed since it was written down: then it is verified anew, or not served. */
  async #reverify(key: string, firmware: Firmware): Promise<boolean> {
    if (this.#refusals.find(key) !== undefined) return false;
    try {
      await this.#ask(() => this.#lookup.reverify(queryOfKey(key), firmware));
      return true;
    } catch (error) {
      const level = isServiceError(error, "signature-invalid") ? "warn" : "debug";
      log[level]("Kept firmware is not served, it was verified under other keys", {
        ...askedBy(key),
        version: firmware.version,
        reason: describeError(error),
      });
      return false;
    }
  }

  /** Nothing is known of the device: whoever asks waits, and all who ask wait for the same. */
  async #first(key: string): Promise<Firmware> {
    const device = deviceOfKey(key);
    // What is no name is said to be none whether the source can be asked or not.
    repositoryOf(device, "");
    const refusal = this.#refusals.find(key);
    if (refusal !== undefined) throw refusal;
    if (!this.#isDefault(key) && !this.#checks.has(key)) this.#allowance.take(device);
    const firmware = await this.#join(key);
    if (this.#cache.peek(key) !== undefined) this.#refresher.asked(key);
    return firmware;
  }

  async #checkOrKeep(key: string, known: Firmware): Promise<Firmware> {
    let newest = known;
    try {
      newest = await this.#join(key);
    } catch (error) {
      if (isServiceError(error, ...NOTHING_THERE)) throw error;
    }
    if (newest.digest === known.digest) this.#observer.hit(deviceOfKey(key));
    return newest;
  }

  /** Its outcome is in the cache, in the log and in the metrics: nobody waits for it. */
  #checkBehind(key: string): void {
    const entry = this.#cache.peek(key);
    if (entry === undefined) {
      // Others took its place in the cache.
      void this.#load(key).then((loaded) => {
        if (loaded === undefined) this.#refresher.forget(key);
        else this.#checkBehind(key);
      });
      return;
    }
    const mayAsk = this.#now() >= entry.retryAtMs && this.#breaker.admits;
    if (!mayAsk || this.#checks.has(key)) return;
    this.#refresher.checked(key);
    this.#checks.join(key, () => this.#limitBehind(() => this.#check(key)))
      .catch((error) =>
        log.debug("Check failed", { ...askedBy(key), reason: describeError(error) })
      );
  }

  #join(key: string): Promise<Firmware> {
    return this.#checks.join(key, () => this.#check(key));
  }

  async #check(key: string): Promise<Firmware> {
    const since = this.#lookup.moment;
    return await this.#ask(async () => {
      const known = this.#cache.peek(key)?.firmware;
      const others = this.#others(key).map(({ firmware }) => firmware);
      const isInvented = known === undefined && !this.#isDefault(key);
      const options = { since, sharedForMs: isInvented ? this.#sharedForMs : 0, others };
      try {
        const newest = await this.#lookup.newest(queryOfKey(key), known, options);
        this.#confirm(key, newest, known);
        return newest;
      } catch (error) {
        const device = deviceOfKey(key);
        // What was listed may be mended before the list is old.
        if (this.#isDefault(key)) this.#lookup.forgetTags(device);
        if (isServiceError(error, ...NOTHING_THERE)) await this.#forget(key, known, error);
        else this.#fail(key, error);
        throw error;
      }
    });
  }

  async #fetchAnnounced(key: string, name: FirmwareName & Partial<Firmware>): Promise<Firmware> {
    return await this.#announced.join(`${key}@${name.digest}`, async () => {
      // What went from the store, or was changed there, went with what was written down of it.
      const isCurrent = (): boolean => this.#cache.peek(key)?.firmware.digest === name.digest;
      const firmware = await this.#ask(() =>
        this.#lookup.exact(queryOfKey(key), name, { isCurrent })
      );
      this.#observer.miss(deviceOfKey(key));
      this.#held.add(key, firmware, this.#now());
      return firmware;
    });
  }

  /** The source may fail while work stands in line: the breaker decides before it and behind it. */
  async #ask<T>(work: () => Promise<T>): Promise<T> {
    this.#breaker.check();
    return await this.#limit(() => this.#breaker.run(work));
  }

  #confirm(key: string, newest: Firmware, known: Firmware | undefined): void {
    const before = this.#cache.peek(key);
    if (newest.digest !== known?.digest) {
      this.#observer.miss(deviceOfKey(key));
      if (known !== undefined) this.#held.add(key, known, this.#now());
    }
    if (before !== undefined && before.failures > 0) {
      log.info("Firmware is checked again", { ...askedBy(key), version: newest.version });
    }
    const nowMs = this.#now();
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

  async #forget(
    key: string,
    known: Firmware | undefined,
    error: ServiceError,
  ): Promise<void> {
    if (known !== undefined) {
      log.info("Firmware is gone from the source", { ...askedBy(key), version: known.version });
      this.#held.add(key, known, this.#now());
      this.#cache.delete(key);
      this.#refresher.forget(key);
      this.#observer.entries(this.#cache.size);
      await this.#store.remove(queryOfKey(key));
    }
    this.#refusals.add(key, error);
  }

  /** What was verified before goes on being served; the log hears of it once, not at each try. */
  #fail(key: string, error: unknown): void {
    if (isServiceError(error)) this.#observer.checkFailed(error.code);
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
    const atMs = this.#now();
    const retryAtMs = atMs + backoffMs(failures, this.#random());
    this.#cache.update(key, { ...entry, failures, failure: { error, atMs }, retryAtMs });
  }

  /** How old a tag list may be for what nobody knows yet, in milliseconds. */
  get #sharedForMs(): number {
    const { refreshIntervalMs, unknownForMs } = this.#options;
    // A source that was away a moment ago has to say something new to be there again.
    return this.#breaker.isUp ? Math.min(refreshIntervalMs, unknownForMs) : 0;
  }

  #sourceChanged(isUp: boolean, failure: ServiceError | undefined): void {
    this.#observer.sourceUp(isUp);
    if (isUp) log.info("Registry answers again");
    else log.warn("Registry does not answer", { reason: describeError(failure) });
  }
}

/** What of a query stands in the log. */
function askedBy(key: string): { readonly device: string; readonly selection?: string } {
  const { device, selection } = queryOfKey(key);
  const text = formatSelection(selection);
  return text === "" ? { device } : { device, selection: text };
}
