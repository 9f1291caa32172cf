/**
 * Brings back from the store what an earlier process, or an earlier place in the cache, has left.
 *
 * @module
 */

import { describeError, isServiceError } from "../errors.ts";
import { logger } from "../log.ts";
import { isRepositoryName } from "../repository.ts";
import { deviceOfKey, queryOfKey } from "../selection.ts";
import { SingleFlight } from "../single_flight.ts";
import type { CacheEntry } from "./cache.ts";
import type { Firmware, FirmwareStore } from "./firmware.ts";
import type { SourceGate } from "./gate.ts";
import type { KnownFirmware } from "./known.ts";
import type { FirmwareLookup } from "./lookup.ts";
import { askedBy } from "./query_keys.ts";

const log = logger("firmware");

/** Options of {@linkcode FirmwareRestorer}. */
export interface FirmwareRestorerOptions {
  /** Where it was left. */
  readonly store: Pick<FirmwareStore, "load">;
  /** Takes down what is served again. */
  readonly known: KnownFirmware;
  /** Knows whether it was verified as it has to be now, and verifies it anew. */
  readonly lookup: Pick<FirmwareLookup, "trusts" | "reverify">;
  /** Decides whether the source is asked for its signature. */
  readonly gate: Pick<SourceGate, "ask">;
  /** A steady clock in milliseconds. */
  readonly now: () => number;
}

/** Restores queries; at most once at a time each. */
export class FirmwareRestorer {
  readonly #options: FirmwareRestorerOptions;
  readonly #loads = new SingleFlight<CacheEntry | undefined>();

  /**
   * Restores nothing yet.
   *
   * @param options From where, and what it must stand.
   */
  constructor(options: FirmwareRestorerOptions) {
    this.#options = options;
  }

  /**
   * Restores what a query was answered with.
   *
   * @param key Of a query that is not in the cache.
   * @returns What is kept for it now; undefined where nothing was left that may be served.
   */
  async load(key: string): Promise<CacheEntry | undefined> {
    const { store, known, lookup, now } = this.#options;
    return await this.#loads.join(key, async () => {
      if (!isRepositoryName(deviceOfKey(key))) return undefined;
      const stored = await store.load(queryOfKey(key));
      const entry = known.cache.peek(key);
      if (stored === undefined || entry !== undefined) return entry;
      const { firmware, savedAt, policy } = stored;
      if (!lookup.trusts(policy) && !await this.#reverify(key, firmware)) return undefined;
      // The clock of the wall may have been set back since.
      const ageMs = Math.max(0, Date.now() - savedAt.getTime());
      return known.restore(key, firmware, now() - ageMs);
    });
  }

  /** Keys may have changed since it was written down: then it is verified anew, or not served. */
  async #reverify(key: string, firmware: Firmware): Promise<boolean> {
    const { known, lookup, gate } = this.#options;
    if (known.refusal(key) !== undefined) return false;
    try {
      await gate.ask(() => lookup.reverify(queryOfKey(key), firmware));
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
}
