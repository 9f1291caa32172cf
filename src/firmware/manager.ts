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
import { SingleFlight } from "../single_flight.ts";
import { backoffMs } from "./backoff.ts";
import { CircuitBreaker } from "./breaker.ts";
import { type CacheEntry, FirmwareCache } from "./cache.ts";
import type { DowngradeGuard } from "./downgrade.ts";
import type {
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

const log = logger("firmware");

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
  readonly #checks = new SingleFlight<Firmware>();
  readonly #announced = new SingleFlight<Firmware>();
  readonly #loads = new SingleFlight<CacheEntry | undefined>();

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
    this.#lookup = new FirmwareLookup({ ...options, onAnswer: () => this.#breaker.succeed() });
    this.#limit = pLimit(options.concurrency);
    // However many checks are due, a device that waits does not stand in line behind them.
    this.#limitBehind = pLimit(Math.max(1, options.concurrency - 1));
    this.#refresher = new Refresher({
      now,
      random,
      intervalMs: options.refreshIntervalMs,
      trackForMs: options.trackForMs,
      check: (device) => this.#checkBehind(device),
    });
    this.#cache = new FirmwareCache(options.cacheSize);
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
   * The newest firmware of a device. What is in the cache is given at once, however old it is, and
   * a check is started behind it where it is due. Only where a refresh interval of 0 asks for it,
   * or nothing is known, the source is waited for.
   *
   * @param device A device id.
   * @returns Verified firmware.
   * @throws {ServiceError} With any code but `firmware-gone`.
   */
  async get(device: string): Promise<Firmware> {
    this.#held.expire(this.#now());
    const entry = this.#cache.get(device) ?? await this.#load(device);
    if (entry === undefined) return await this.#first(device);
    const { refreshIntervalMs } = this.#options;
    if (refreshIntervalMs === 0) return await this.#checkOrKeep(device, entry.firmware);
    this.#refresher.asked(device);
    this.#observer.hit(device);
    if (this.#now() - entry.confirmedAtMs >= refreshIntervalMs) this.#checkBehind(device);
    return entry.firmware;
  }

  /**
   * The very firmware that was announced before, although a newer one may have come since.
   *
   * @param device A device id.
   * @param name What was announced.
   * @returns Exactly that firmware, verified.
   * @throws {ServiceError} `firmware-gone` where nobody has it any more, or another code.
   */
  async getAnnounced(device: string, name: FirmwareName): Promise<Firmware> {
    try {
      const newest = await this.get(device);
      if (newest.digest === name.digest) return newest;
    } catch (error) {
      const held = this.#held.find(device, name.digest);
      if (held !== undefined) return held;
      // A source that could not be asked for the newest cannot be asked for this one either.
      if (!isServiceError(error, "firmware-unknown", "artifact-invalid", "signature-invalid")) {
        throw error;
      }
    }
    return this.#held.find(device, name.digest) ?? await this.#fetchAnnounced(device, name);
  }

  /**
   * The bytes of a firmware.
   *
   * @param device Whose.
   * @param firmware What was given by {@linkcode get} or {@linkcode getAnnounced}.
   * @returns Its bytes, to be closed; fetched again where the store does not have them any more.
   * @throws {ServiceError} With any code.
   */
  async open(device: string, firmware: Firmware): Promise<FirmwareReader> {
    const body = await this.#store.open(firmware.sha256);
    if (body !== undefined) return body;
    log.info("Firmware is not in the store any more, fetching it again", {
      device,
      version: firmware.version,
    });
    const { sha256 } = await this.#fetchAnnounced(device, firmware);
    const fetched = await this.#store.open(sha256);
    if (fetched !== undefined) return fetched;
    throw new ServiceError("storage-failed", "Firmware does not stay in the store");
  }

  /**
   * Checks a device now, past every interval, whether anybody asks for it or not.
   *
   * @param device A device id.
   * @returns The newest firmware, once the source has confirmed it.
   * @throws {ServiceError} With any code but `firmware-gone`; what was known is served still.
   */
  async refresh(device: string): Promise<Firmware> {
    // One that is under way may have looked before that happened for which we are called.
    await this.#checks.settled(device);
    // What an earlier process has left would be served on although the source says that it is gone.
    if (this.#cache.peek(device) === undefined) await this.#load(device);
    return await this.#join(device);
  }

  /**
   * Waits for the check of a device that is under way, if there is any.
   *
   * @param device A device id.
   * @returns Settles with it, and never fails.
   */
  async settled(device: string): Promise<void> {
    await this.#checks.settled(device);
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
   * How long ago the source last said that a firmware is a device's newest.
   *
   * @param device A device id.
   * @param firmware What it is served.
   * @returns Seconds, or undefined where it is not what would be served now.
   */
  ageSeconds(device: string, firmware: FirmwareName): number | undefined {
    const entry = this.#cache.peek(device);
    return entry?.firmware.digest === firmware.digest ? this.#ageSeconds(entry) : undefined;
  }

  /**
   * How stale the answers are.
   *
   * @returns Each device in the cache, with the seconds since the source confirmed its firmware; 0
   * where nothing hinders the next check.
   */
  *staleness(): Generator<readonly [device: string, seconds: number]> {
    for (const [device, entry] of this.#cache.entries()) {
      const isFine = entry.failures === 0 && this.#breaker.isUp;
      yield [device, isFine ? 0 : this.#ageSeconds(entry)];
    }
  }

  /**
   * How long ago the source last confirmed the firmware of any device in the cache.
   *
   * @returns Seconds; undefined where there is none.
   */
  lastCheckSeconds(): number | undefined {
    let least: number | undefined;
    for (const [, entry] of this.#cache.entries()) {
      least = Math.min(least ?? Infinity, this.#ageSeconds(entry));
    }
    return least;
  }

  #ageSeconds({ confirmedAtMs }: CacheEntry): number {
    return (this.#now() - confirmedAtMs) / 1000;
  }

  /** What an earlier process, or an earlier place in the cache, has left. */
  async #load(device: string): Promise<CacheEntry | undefined> {
    return await this.#loads.join(device, async () => {
      if (!isRepositoryName(device)) return undefined;
      const stored = await this.#store.load(device);
      const entry = this.#cache.peek(device);
      if (stored === undefined || entry !== undefined) return entry;
      const { firmware, savedAt, policy } = stored;
      if (!this.#lookup.trusts(policy) && !await this.#reverify(device, firmware)) return undefined;
      // The clock of the wall may have been set back since.
      const ageMs = Math.max(0, Date.now() - savedAt.getTime());
      const loaded = { firmware, confirmedAtMs: this.#now() - ageMs, failures: 0, retryAtMs: 0 };
      this.#cache.set(device, loaded);
      this.#observer.entries(this.#cache.size);
      // The earlier process may have ended before it was told.
      void this.#options.notifier?.announce(device, firmware, { isConfirmed: false });
      return loaded;
    });
  }

  /** Keys may have changed since it was written down: then it is verified anew, or not served. */
  async #reverify(device: string, firmware: Firmware): Promise<boolean> {
    if (this.#refusals.find(device) !== undefined) return false;
    try {
      await this.#ask(() => this.#lookup.reverify(device, firmware));
      return true;
    } catch (error) {
      const level = isServiceError(error, "signature-invalid") ? "warn" : "debug";
      log[level]("Kept firmware is not served, it was verified under other keys", {
        device,
        version: firmware.version,
        reason: describeError(error),
      });
      return false;
    }
  }

  /** Nothing is known of the device: whoever asks waits, and all who ask wait for the same. */
  async #first(device: string): Promise<Firmware> {
    // What is no name is said to be none whether the source can be asked or not.
    repositoryOf(device, "");
    const refusal = this.#refusals.find(device);
    if (refusal !== undefined) throw refusal;
    const firmware = await this.#join(device);
    this.#refresher.asked(device);
    return firmware;
  }

  async #checkOrKeep(device: string, known: Firmware): Promise<Firmware> {
    let newest = known;
    try {
      newest = await this.#join(device);
    } catch (error) {
      if (isServiceError(error, "firmware-unknown")) throw error;
    }
    if (newest.digest === known.digest) this.#observer.hit(device);
    return newest;
  }

  /** Its outcome is in the cache, in the log and in the metrics: nobody waits for it. */
  #checkBehind(device: string): void {
    const entry = this.#cache.peek(device);
    if (entry === undefined) {
      // Others took its place in the cache.
      void this.#load(device).then((loaded) => {
        if (loaded === undefined) this.#refresher.forget(device);
        else this.#checkBehind(device);
      });
      return;
    }
    const mayAsk = this.#now() >= entry.retryAtMs && this.#breaker.admits;
    if (!mayAsk || this.#checks.has(device)) return;
    this.#refresher.checked(device);
    this.#checks.join(device, () => this.#limitBehind(() => this.#check(device)))
      .catch((error) => log.debug("Check failed", { device, reason: describeError(error) }));
  }

  #join(device: string): Promise<Firmware> {
    return this.#checks.join(device, () => this.#check(device));
  }

  async #check(device: string): Promise<Firmware> {
    return await this.#ask(async () => {
      const known = this.#cache.peek(device)?.firmware;
      try {
        const newest = await this.#lookup.newest(device, known);
        this.#confirm(device, newest, known);
        return newest;
      } catch (error) {
        if (isServiceError(error, "firmware-unknown")) await this.#forget(device, known, error);
        else this.#fail(device, error);
        throw error;
      }
    });
  }

  async #fetchAnnounced(device: string, name: FirmwareName & Partial<Firmware>): Promise<Firmware> {
    return await this.#announced.join(`${device}@${name.digest}`, async () => {
      // What went from the store, or was changed there, went with what was written down of it.
      const isCurrent = (): boolean => this.#cache.peek(device)?.firmware.digest === name.digest;
      const firmware = await this.#ask(() => this.#lookup.exact(device, name, { isCurrent }));
      this.#observer.miss(device);
      this.#held.add(device, firmware, this.#now());
      return firmware;
    });
  }

  /** The source may fail while work stands in line: the breaker decides before it and behind it. */
  async #ask<T>(work: () => Promise<T>): Promise<T> {
    this.#breaker.check();
    return await this.#limit(() => this.#breaker.run(work));
  }

  #confirm(device: string, newest: Firmware, known: Firmware | undefined): void {
    const before = this.#cache.peek(device);
    if (newest.digest !== known?.digest) {
      this.#observer.miss(device);
      if (known !== undefined) this.#held.add(device, known, this.#now());
    }
    if (before !== undefined && before.failures > 0) {
      log.info("Firmware is checked again", { device, version: newest.version });
    }
    const entry = { firmware: newest, confirmedAtMs: this.#now(), failures: 0, retryAtMs: 0 };
    // A check does not count as use; a device that lost its place meanwhile gets a new one, since
    // others may have joined who wait for it.
    if (before === undefined) this.#cache.set(device, entry);
    else this.#cache.update(device, entry);
    this.#refusals.delete(device);
    this.#observer.entries(this.#cache.size);
    const isNews = newest.digest !== known?.digest || newest.version !== known.version;
    if (isNews) void this.#options.notifier?.announce(device, newest);
  }

  async #forget(
    device: string,
    known: Firmware | undefined,
    error: ServiceError,
  ): Promise<void> {
    if (known !== undefined) {
      log.info("Firmware is gone from the source", { device, version: known.version });
      this.#held.add(device, known, this.#now());
      this.#cache.delete(device);
      this.#refresher.forget(device);
      this.#observer.entries(this.#cache.size);
      await this.#store.remove(device);
    }
    this.#refusals.add(device, error);
  }

  /** What was verified before goes on being served; the log hears of it once, not at each try. */
  #fail(device: string, error: unknown): void {
    if (isServiceError(error)) this.#observer.checkFailed(error.code);
    const entry = this.#cache.peek(device);
    if (entry === undefined) {
      this.#refusals.add(device, error);
      return;
    }
    const failures = entry.failures + 1;
    if (failures === 1) {
      log.warn("Cannot check for a newer firmware, serving the known one", {
        device,
        version: entry.firmware.version,
        reason: describeError(error),
      });
    }
    const retryAtMs = this.#now() + backoffMs(failures, this.#random());
    this.#cache.update(device, { ...entry, failures, retryAtMs });
  }

  #sourceChanged(isUp: boolean, failure: ServiceError | undefined): void {
    this.#observer.sourceUp(isUp);
    if (isUp) log.info("Registry answers again");
    else log.warn("Registry does not answer", { reason: describeError(failure) });
  }
}
