/**
 * Which bytes a device may have: the newest version of its repository, verified, at once where it
 * was asked for before.
 *
 * @module
 */

import { isServiceError } from "../errors.ts";
import { repositoryOf } from "../repository.ts";
import { deviceOfKey, partOf, queryOfKey, type Question, type Selection } from "../selection.ts";
import { Allowance } from "./allowance.ts";
import type { CacheEntry } from "./cache.ts";
import { FirmwareChecks } from "./checks.ts";
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
import { SourceGate } from "./gate.ts";
import { KnownFirmware } from "./known.ts";
import { FirmwareLookup } from "./lookup.ts";
import { FirmwareOpener } from "./opener.ts";
import { FirmwareOverview } from "./overview.ts";
import { QueryKeys } from "./query_keys.ts";
import { Refresher } from "./refresher.ts";
import { NOTHING_THERE } from "./refusals.ts";
import { FirmwareRestorer } from "./restorer.ts";

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
  /** How things stand with all devices. */
  readonly overview: FirmwareOverview;
  readonly #options: FirmwareManagerOptions;
  readonly #now: () => number;
  readonly #keys: QueryKeys;
  readonly #gate: SourceGate;
  readonly #lookup: FirmwareLookup;
  readonly #known: KnownFirmware;
  readonly #checks: FirmwareChecks;
  readonly #restorer: FirmwareRestorer;
  readonly #opener: FirmwareOpener;
  readonly #refresher: Refresher;
  readonly #allowance: Allowance;

  /**
   * Knows no firmware yet.
   *
   * @param options What it works with.
   */
  constructor(options: FirmwareManagerOptions) {
    const { now = () => performance.now(), random = Math.random } = options;
    this.#options = options;
    this.#now = now;
    const keys = this.#keys = new QueryKeys(options.defaults ?? {});
    const gate = this.#gate = new SourceGate({ ...options, now, random });
    const lookup = this.#lookup = new FirmwareLookup({
      ...options,
      now,
      onAnswer: () => gate.answered(),
    });
    const known = this.#known = new KnownFirmware({
      ...options,
      ...{ keys, now, random },
      onDrop: (key) => this.#refresher.forget(key),
    });
    const parts = { ...options, keys, gate, lookup, known, now };
    const checks = this.#checks = new FirmwareChecks(parts);
    this.#restorer = new FirmwareRestorer(parts);
    const opener = this.#opener = new FirmwareOpener({ ...parts, checks });
    const refresher = this.#refresher = new Refresher({
      ...{ now, random, trackForMs: options.trackForMs },
      intervalMs: options.refreshIntervalMs,
      check: (key) => this.#checkBehind(key),
    });
    this.#allowance = new Allowance(now);
    this.overview = new FirmwareOverview({ ...parts, refresher, opener });
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
    const nowMs = this.#now();
    this.#known.expire(nowMs);
    const key = this.#keys.of(question);
    const entry = this.#known.cache.get(key) ?? await this.#restorer.load(key) ??
      await this.#share(key);
    if (entry === undefined) return await this.#first(key);
    const { refreshIntervalMs } = this.#options;
    if (refreshIntervalMs === 0) return await this.#checkOrKeep(key, entry.firmware);
    this.#refresher.asked(key);
    this.#options.observer.hit(deviceOfKey(key));
    if (nowMs - entry.confirmedAtMs >= refreshIntervalMs) this.#checkBehind(key);
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
    const key = this.#keys.of(question);
    try {
      const newest = await this.get(question);
      if (newest.digest === name.digest) return newest;
    } catch (error) {
      const held = this.#known.held(key, name.digest);
      if (held !== undefined) return held;
      // A source that could not be asked for the newest cannot be asked for this one either.
      if (!isServiceError(error, ...NOTHING_THERE, "artifact-invalid", "signature-invalid")) {
        throw error;
      }
    }
    return this.#known.held(key, name.digest) ?? await this.#checks.fetch(key, name);
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
    return await this.#opener.open(question, firmware);
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
    const key = this.#keys.of(device);
    const others = this.#known.cache.ofDevice(device).map(([other]) => other)
      .filter((other) => other !== key);
    // One that is under way may have looked before that happened for which we are called.
    await Promise.all([key, ...others].map((each) => this.#checks.settled(each)));
    this.#lookup.forgetTags(device);
    // What an earlier process has left would be served on although the source says that it is gone.
    const entry = this.#known.cache.peek(key) ?? await this.#restorer.load(key);
    return await this.#checks.joinAll(key, others, { kept: entry?.firmware });
  }

  /**
   * Waits for the check of a query that is under way, if there is any.
   *
   * @param question Who has asked, and for what.
   * @returns Settles with it, and never fails.
   */
  async settled(question: Question): Promise<void> {
    await this.#checks.settled(this.#keys.of(question));
  }

  /**
   * Tells whether anything can be served. A source that was found silent is asked again behind it:
   * else nobody would be sent here who could find out that it is back.
   *
   * @returns Whether the source answers, as far as known, or some firmware is kept.
   */
  isReady(): boolean {
    if (this.#gate.isUp) return true;
    this.#gate.probe();
    return this.#options.store.bytes > 0;
  }

  /**
   * How long ago the source last said that a firmware is the newest that is asked for.
   *
   * @param question Who asks, and for what.
   * @param firmware What it is served.
   * @returns Seconds, or undefined where it is not what would be served now.
   */
  ageSeconds(question: Question, firmware: FirmwareName): number | undefined {
    const entry = this.#known.cache.peek(this.#keys.of(question));
    if (entry?.firmware.digest !== firmware.digest) return undefined;
    return (this.#now() - entry.confirmedAtMs) / 1000;
  }

  /**
   * What is asked for by its name may be what the device is served without one. That may have lost
   * its place in the cache, or be left by an earlier process.
   */
  async #share(key: string): Promise<CacheEntry | undefined> {
    const { device, selection } = queryOfKey(key);
    if (selection.version === undefined) return undefined;
    const unnamed = this.#keys.of({ device, selection: partOf(selection) });
    const own = this.#known.cache.peek(unnamed) ?? await this.#restorer.load(unnamed);
    return await this.#known.share(key, own);
  }

  /** Nothing is known of the device: whoever asks waits, and all who ask wait for the same. */
  async #first(key: string): Promise<Firmware> {
    const device = deviceOfKey(key);
    // What is no name is said to be none whether the source can be asked or not.
    repositoryOf(device, "");
    const refusal = this.#known.refusal(key);
    if (refusal !== undefined) throw refusal;
    if (!this.#keys.isDefault(key) && !this.#checks.has(key)) this.#allowance.take(device);
    const firmware = await this.#checks.join(key);
    if (this.#known.cache.peek(key) !== undefined) this.#refresher.asked(key);
    return firmware;
  }

  async #checkOrKeep(key: string, known: Firmware): Promise<Firmware> {
    let newest = known;
    try {
      newest = await this.#checks.join(key, known);
    } catch (error) {
      if (isServiceError(error, ...NOTHING_THERE)) throw error;
    }
    if (newest.digest === known.digest) this.#options.observer.hit(deviceOfKey(key));
    return newest;
  }

  #checkBehind(key: string): void {
    const entry = this.#known.cache.peek(key);
    if (entry === undefined) {
      // Others took its place in the cache.
      void this.#restorer.load(key).then((loaded) => {
        if (loaded === undefined) this.#refresher.forget(key);
        else this.#checkBehind(key);
      });
    } else if (this.#checks.startBehind(key, entry)) {
      this.#refresher.checked(key);
    }
  }
}
