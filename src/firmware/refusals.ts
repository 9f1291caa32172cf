/**
 * Queries of devices for which there was nothing to serve a moment ago.
 *
 * @module
 */

import { LRUCache } from "lru-cache";
import { backoffMs } from "../backoff.ts";
import { isServiceError, type ServiceError } from "../errors.ts";
import { PAUSES } from "./pauses.ts";

/** The source says that there is nothing, or nothing of the kind. */
export const NOTHING_THERE = ["firmware-unknown", "selection-unmatched"] as const;

/** So many queries are remembered, the latest ones: 10,000 take about 3 MB. */
const REFUSALS_LIMIT = 10_000;

/** Options of {@linkcode Refusals}. */
export interface RefusalsOptions {
  /** How long an id is remembered that the source does not know, in milliseconds. */
  readonly unknownForMs: number;
  /** A steady clock in milliseconds. */
  readonly now: () => number;
  /** A number from 0 up to 1. */
  readonly random: () => number;
}

/** A device that is refused. Times are of the manager's clock. */
export interface Refused {
  /** What is answered. */
  readonly error: ServiceError;
  /** Since when, in milliseconds. */
  readonly atMs: number;
  /** Until when, in milliseconds: then the source is asked again. */
  readonly untilMs: number;
}

interface Refusal extends Refused {
  /** How often in a row there was something that could not be had; 0 where there was nothing. */
  readonly failures: number;
}

/**
 * Gives the same answer again for a short time, so that a loop of misspelt ids, or a crowd at an
 * artifact that fails verification, costs the source nothing.
 */
export class Refusals {
  readonly #options: RefusalsOptions;
  readonly #refusals = new LRUCache<string, Refusal>({ max: REFUSALS_LIMIT });

  /**
   * Remembers nothing yet.
   *
   * @param options For how long, by which clock.
   */
  constructor(options: RefusalsOptions) {
    this.#options = options;
  }

  /**
   * What to answer without asking the source.
   *
   * @param key Of a query.
   * @returns The error, or undefined where the source is to be asked.
   */
  find(key: string): ServiceError | undefined {
    const refusal = this.#refusals.get(key);
    return refusal !== undefined && this.#options.now() < refusal.untilMs
      ? refusal.error
      : undefined;
  }

  /**
   * Notes that the source had nothing. That it cannot be reached is no device's matter, and that an
   * id is no repository name costs it nothing: neither is remembered.
   *
   * @param key Of a query.
   * @param error What went wrong.
   */
  add(key: string, error: unknown): void {
    if (
      !isServiceError(
        error,
        ...NOTHING_THERE,
        "artifact-invalid",
        "signature-invalid",
        "source-refused",
        "source-invalid",
        // It came all the way before it found no room.
        "storage-failed",
      )
    ) return;
    const { now, random, unknownForMs } = this.#options;
    const atMs = now();
    const isUnknown = isServiceError(error, ...NOTHING_THERE);
    const failures = isUnknown ? 0 : (this.#refusals.get(key)?.failures ?? 0) + 1;
    const pauseMs = isUnknown ? unknownForMs : backoffMs(failures, random(), PAUSES);
    this.#refusals.set(key, { error, failures, atMs, untilMs: atMs + pauseMs });
  }

  /**
   * Queries for which the source has something that cannot be had. Devices that it does not know are
   * left out, anybody may have invented them; and so are those that nobody asks for any more.
   *
   * @returns Each with what is wrong.
   */
  *failing(): Generator<readonly [key: string, refused: Refused]> {
    const nowMs = this.#options.now();
    for (const [key, refusal] of this.#refusals.entries()) {
      const isAskedFor = nowMs < refusal.untilMs + PAUSES.longestMs;
      if (refusal.failures > 0 && isAskedFor) yield [key, refusal];
    }
  }

  /**
   * Forgets a query: the source has firmware for it.
   *
   * @param key Of a query.
   */
  delete(key: string): void {
    this.#refusals.delete(key);
  }
}
