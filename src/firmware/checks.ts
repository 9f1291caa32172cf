/**
 * Asks the source which firmware a query is to be answered with, once for all who want to know.
 *
 * @module
 */

import { describeError, isServiceError } from "../errors.ts";
import { logger } from "../log.ts";
import { deviceOfKey, queryOfKey } from "../selection.ts";
import { SingleFlight } from "../single_flight.ts";
import type { CacheEntry } from "./cache.ts";
import type { Firmware, FirmwareName, FirmwareObserver } from "./firmware.ts";
import type { SourceGate } from "./gate.ts";
import type { KnownFirmware } from "./known.ts";
import type { FirmwareLookup } from "./lookup.ts";
import { askedBy, type QueryKeys } from "./query_keys.ts";
import { NOTHING_THERE } from "./refusals.ts";

const log = logger("firmware");

/** What may end otherwise the next time, of one selection among others. */
const WORTH_ANOTHER_TRY = [
  "source-unavailable",
  "source-timeout",
  "source-refused",
  "source-invalid",
  "storage-failed",
] as const;

/** Options of {@linkcode FirmwareChecks}. */
export interface FirmwareChecksOptions {
  /** Tells what a device gets by its id alone. */
  readonly keys: QueryKeys;
  /** Takes down what comes of a check. */
  readonly known: KnownFirmware;
  /** Finds firmware at the source. */
  readonly lookup: Pick<FirmwareLookup, "moment" | "newest" | "exact" | "forgetTags">;
  /** Decides whether the source is asked. */
  readonly gate: Pick<SourceGate, "isUp" | "admits" | "ask" | "behind">;
  /** Told of what had to be fetched, for metrics. */
  readonly observer: Pick<FirmwareObserver, "miss">;
  /** How long an answer of the source holds, in milliseconds. */
  readonly refreshIntervalMs: number;
  /** How long an id is remembered that the source does not know, in milliseconds. */
  readonly unknownForMs: number;
  /** A steady clock in milliseconds. */
  readonly now: () => number;
}

/** Checks queries; at most one check of each is under way. */
export class FirmwareChecks {
  readonly #options: FirmwareChecksOptions;
  readonly #checks = new SingleFlight<Firmware>();
  readonly #fetches = new SingleFlight<Firmware>();

  /**
   * Checks nothing yet.
   *
   * @param options Who is asked, and where the outcome goes.
   */
  constructor(options: FirmwareChecksOptions) {
    this.#options = options;
  }

  /**
   * Checks a query for who waits, or joins the check that is under way.
   *
   * @param key Of the query.
   * @param kept What is known of it, where that may have lost its place in the cache already.
   * @returns What the source says is the newest, verified and taken down.
   * @throws {ServiceError} With any code but `firmware-gone`; that, too, is taken down.
   */
  join(key: string, kept?: Firmware): Promise<Firmware> {
    return this.#checks.join(key, () => this.#check(key, kept));
  }

  /**
   * Checks all that a device asks for, or joins the checks that are under way.
   *
   * @param key Of the query that counts.
   * @param others Of those whose failure matters only where it may end otherwise the next time.
   * @param settings.kept What is known of the first, as for {@linkcode FirmwareChecks.join}.
   * @returns What the source says is the newest for the first of them.
   * @throws {ServiceError} With any code but `firmware-gone`, once all checks have ended.
   */
  async joinAll(
    key: string,
    others: readonly string[],
    { kept }: { readonly kept?: Firmware | undefined } = {},
  ): Promise<Firmware> {
    const [newest, ...rest] = await Promise.allSettled([
      this.join(key, kept),
      ...others.map((other) => this.join(other)),
    ]);
    if (newest?.status !== "fulfilled") throw newest?.reason;
    const failed = rest.find((result) =>
      result.status === "rejected" && isServiceError(result.reason, ...WORTH_ANOTHER_TRY)
    );
    if (failed?.status === "rejected") throw failed.reason;
    return newest.value;
  }

  /**
   * Checks a query behind those who wait, unless it is being checked, or a failure is too fresh. Its
   * outcome is in the cache, in the log and in the metrics: nobody waits for it.
   *
   * @param key Of the query.
   * @param entry What is kept for it.
   * @returns Whether a check begins.
   */
  startBehind(key: string, entry: CacheEntry): boolean {
    const { gate, now } = this.#options;
    const mayAsk = now() >= entry.retryAtMs && gate.admits;
    if (!mayAsk || this.#checks.has(key)) return false;
    this.#checks.join(key, () => gate.behind(() => this.#check(key, entry.firmware)))
      .catch((error) =>
        log.debug("Check failed", { ...askedBy(key), reason: describeError(error) })
      );
    return true;
  }

  /**
   * Whether a check is under way.
   *
   * @param key Of the query.
   * @returns Whether who joins now costs the source nothing.
   */
  has(key: string): boolean {
    return this.#checks.has(key);
  }

  /**
   * Waits for the check of a query that is under way, if there is any.
   *
   * @param key Of the query.
   * @returns Settles with it, and never fails.
   */
  settled(key: string): Promise<void> {
    return this.#checks.settled(key);
  }

  /**
   * Fetches a firmware by its name, although it may no longer be the newest, and holds it.
   *
   * @param key Of the query that was answered with it.
   * @param name Which.
   * @returns Exactly that firmware, verified and stored.
   * @throws {ServiceError} `firmware-gone` where the source does not have it any more, or another.
   */
  async fetch(key: string, name: FirmwareName & Partial<Firmware>): Promise<Firmware> {
    const { known, gate, lookup, observer } = this.#options;
    return await this.#fetches.join(`${key}@${name.digest}`, async () => {
      // What went from the store, or was changed there, went with what was written down of it.
      const isCurrent = (): boolean => known.cache.peek(key)?.firmware.digest === name.digest;
      const firmware = await gate.ask(() => lookup.exact(queryOfKey(key), name, { isCurrent }));
      observer.miss(deviceOfKey(key));
      known.hold(key, firmware);
      return firmware;
    });
  }

  /**
   * @param kept What is known of the query now. It may lose its place in the cache while it waits for
   * its turn, but not in the store: it need not be fetched again.
   */
  async #check(
    key: string,
    kept = this.#options.known.cache.peek(key)?.firmware,
  ): Promise<Firmware> {
    const { keys, known, lookup, gate } = this.#options;
    const since = lookup.moment;
    return await gate.ask(async () => {
      const before = known.cache.peek(key)?.firmware ?? kept;
      const others = known.others(key).map(({ firmware }) => firmware);
      const isInvented = before === undefined && !keys.isDefault(key);
      const options = { since, sharedForMs: isInvented ? this.#sharedForMs : 0, others };
      try {
        const newest = await lookup.newest(queryOfKey(key), before, options);
        known.confirm(key, newest, before);
        return newest;
      } catch (error) {
        // What was listed may be mended before the list is old.
        if (keys.isDefault(key)) lookup.forgetTags(deviceOfKey(key));
        if (isServiceError(error, ...NOTHING_THERE)) await known.forget(key, before, error);
        else known.fail(key, error);
        throw error;
      }
    });
  }

  /** How old a tag list may be for what nobody knows yet, in milliseconds. */
  get #sharedForMs(): number {
    const { gate, refreshIntervalMs, unknownForMs } = this.#options;
    // A source that was away a moment ago has to say something new to be there again.
    return gate.isUp ? Math.min(refreshIntervalMs, unknownForMs) : 0;
  }
}
