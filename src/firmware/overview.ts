/**
 * How things stand with all devices, for metrics and for people.
 *
 * @module
 */

import type { CacheEntry } from "./cache.ts";
import type { FirmwareVerifier } from "./firmware.ts";
import type { SourceGate } from "./gate.ts";
import type { KnownFirmware } from "./known.ts";
import type { FirmwareOpener } from "./opener.ts";
import type { Refresher } from "./refresher.ts";
import { deviceStatuses, failureOf, type FirmwareStatus } from "./status.ts";

/** Options of {@linkcode FirmwareOverview}. */
export interface FirmwareOverviewOptions {
  /** What devices are served, and what is refused. */
  readonly known: Pick<KnownFirmware, "cache" | "failing">;
  /** Whether the source answers. */
  readonly gate: Pick<SourceGate, "isUp" | "silence">;
  /** Which devices are checked in the background. */
  readonly refresher: Pick<Refresher, "size">;
  /** How often firmware was fetched again. */
  readonly opener: Pick<FirmwareOpener, "fetchedAgain">;
  /** Says who may release firmware, where that is asked. */
  readonly verifier?: FirmwareVerifier | undefined;
  /** How many devices are kept in memory. */
  readonly cacheSize: number;
  /** A steady clock in milliseconds. */
  readonly now: () => number;
}

/** Reads how things stand, and changes nothing. */
export class FirmwareOverview {
  readonly #options: FirmwareOverviewOptions;

  /**
   * Reads nothing yet.
   *
   * @param options From where.
   */
  constructor(options: FirmwareOverviewOptions) {
    this.#options = options;
  }

  /**
   * How stale the answers are.
   *
   * @returns Each device in the cache, with the seconds since the source confirmed what it is
   * served, the stalest of it; 0 where nothing hinders the next check.
   */
  *staleness(): Generator<readonly [device: string, seconds: number]> {
    const { known, gate } = this.#options;
    for (const [device, entries] of known.cache.entries()) {
      const hindered = [...entries].filter(({ failures }) => failures > 0 || !gate.isUp);
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
    for (const [, entries] of this.#options.known.cache.entries()) {
      for (const entry of entries) least = Math.min(least ?? Infinity, this.#ageSeconds(entry));
    }
    return least;
  }

  /**
   * All that is known.
   *
   * @returns What is known now; its devices are to be read at once.
   */
  status(): FirmwareStatus {
    const { known, gate: { silence }, refresher, opener, verifier, cacheSize, now } = this.#options;
    const nowMs = now();
    return {
      silence: silence && failureOf(silence.error, {
        agoMs: nowMs - silence.sinceMs,
        retryInMs: silence.pauseEndsMs - nowMs,
      }),
      places: { taken: known.cache.size, limit: cacheSize },
      tracked: refresher.size,
      fetchedAgain: opener.fetchedAgain(nowMs),
      devices: deviceStatuses({
        cached: known.cache.entries(),
        refused: known.failing(),
        areSigned: verifier !== undefined,
        nowMs,
      }),
    };
  }

  #ageSeconds({ confirmedAtMs }: CacheEntry): number {
    return (this.#options.now() - confirmedAtMs) / 1000;
  }
}
