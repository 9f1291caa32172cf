/**
 * Leaves a source alone that cannot be reached, and finds out when it is back.
 *
 * @see https://martinfowler.com/bliki/CircuitBreaker.html
 * @module
 */

import { backoffMs } from "../backoff.ts";
import { type ErrorCode, isServiceError, ServiceError } from "../errors.ts";
import { PAUSES } from "./pauses.ts";

/** Failures of the source itself. */
const SILENCE: readonly ErrorCode[] = ["source-unavailable", "source-timeout"];

/**
 * Whoever refuses, or answers nonsense for one repository, is there for the others. Any other error
 * tells nothing of the source: it may not have been asked at all.
 */
const ANSWERS: readonly ErrorCode[] = [
  "firmware-unknown",
  "selection-unmatched",
  "firmware-gone",
  "artifact-invalid",
  "signature-invalid",
  "source-refused",
  "source-invalid",
];

/** Options of {@linkcode CircuitBreaker}. */
export interface BreakerOptions {
  /** Told when the source stops and begins to answer; the failure, where it stops. */
  readonly onChange: (isUp: boolean, failure?: ServiceError) => void;
  /** A steady clock in milliseconds. */
  readonly now: () => number;
  /** A number from 0 up to 1. */
  readonly random: () => number;
}

/** A source that does not answer. Times are of the breaker's clock. */
export interface Silence {
  /** What it did instead, the first time. */
  readonly error: ServiceError;
  /** When that was, in milliseconds. */
  readonly sinceMs: number;
  /** When it is asked again, in milliseconds. */
  readonly pauseEndsMs: number;
}

/**
 * Lets work through as long as the source answers. After a failure the source has a pause, growing
 * with each further one; then a single piece of work finds out whether it is back, while all other
 * is refused at once: no storm meets a registry that has just started.
 */
export class CircuitBreaker {
  readonly #options: BreakerOptions;
  #failures = 0;
  #pauseEndsMs = 0;
  #silence: Omit<Silence, "pauseEndsMs"> | undefined;
  /** The work that finds out; compared by identity, since it may outlast what it was to find out. */
  #probe: object | undefined;

  /**
   * Lets everything through.
   *
   * @param options Clock, chance, and who is told.
   */
  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  /** Whether the last that was heard of the source was an answer. */
  get isUp(): boolean {
    return this.#failures === 0;
  }

  /** How the source fails; undefined while it answers. */
  get silence(): Silence | undefined {
    return this.#silence && { ...this.#silence, pauseEndsMs: this.#pauseEndsMs };
  }

  /** Whether work would be done now. */
  get admits(): boolean {
    return this.isUp ||
      (this.#probe === undefined && this.#options.now() >= this.#pauseEndsMs);
  }

  /**
   * Refuses at once where work would be refused.
   *
   * @throws {ServiceError} `source-unavailable`, with the rest of the pause.
   */
  check(): void {
    if (this.admits) return;
    const pauseMs = this.#pauseEndsMs - this.#options.now();
    throw new ServiceError(
      "source-unavailable",
      "Source of firmware cannot be reached at the moment",
      {
        cause: "it failed before and has a pause",
        retryAfterSeconds: Math.max(1, Math.ceil(pauseMs / 1000)),
      },
    );
  }

  /**
   * Does a piece of work, unless the source has a pause.
   *
   * @param work Asks the source.
   * @returns Its outcome.
   * @throws {ServiceError} `source-unavailable` at once in a pause, or what the work throws.
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.check();
    const probe = {};
    if (!this.isUp) this.#probe = probe;
    try {
      const outcome = await work();
      this.succeed();
      return outcome;
    } catch (error) {
      if (isServiceError(error, ...SILENCE)) this.#fail(error);
      else if (isServiceError(error, ...ANSWERS)) this.succeed();
      throw error;
    } finally {
      if (this.#probe === probe) this.#probe = undefined;
    }
  }

  /** Notes that the source has answered, for work that goes on after the first answer. */
  succeed(): void {
    this.#probe = undefined;
    if (this.isUp) return;
    this.#failures = 0;
    this.#silence = undefined;
    this.#options.onChange(true);
  }

  #fail(failure: ServiceError): void {
    const { now, random, onChange } = this.#options;
    // Of many that failed together the first counts: the others tell nothing new.
    if (!this.isUp && now() < this.#pauseEndsMs) return;
    this.#failures++;
    const wishedMs = Math.min((failure.retryAfterSeconds ?? 0) * 1000, PAUSES.longestMs);
    this.#pauseEndsMs = now() + Math.max(wishedMs, backoffMs(this.#failures, random(), PAUSES));
    this.#silence ??= { error: failure, sinceMs: now() };
    if (this.#failures === 1) onChange(false, failure);
  }
}
