/**
 * The one way to the source: whether it is asked at all, and by how many at once.
 *
 * @module
 */

import pLimit, { type LimitFunction } from "p-limit";
import { describeError, type ServiceError } from "../errors.ts";
import { logger } from "../log.ts";
import { adviseNetwork } from "../network_advice.ts";
import { CircuitBreaker, type Silence } from "./breaker.ts";
import type { FirmwareObserver, FirmwareSource } from "./firmware.ts";

const log = logger("firmware");

/** Options of {@linkcode SourceGate}. */
export interface SourceGateOptions {
  /** What is behind it. */
  readonly source: Pick<FirmwareSource, "ping">;
  /** How many requests the source gets at once. */
  readonly concurrency: number;
  /** Told whether the source answers. */
  readonly observer: Pick<FirmwareObserver, "sourceUp">;
  /** A steady clock in milliseconds. */
  readonly now: () => number;
  /** A number from 0 up to 1. */
  readonly random: () => number;
}

/** Lets work through to the source, or refuses it while the source has a pause. */
export class SourceGate {
  readonly #source: Pick<FirmwareSource, "ping">;
  readonly #observer: Pick<FirmwareObserver, "sourceUp">;
  readonly #breaker: CircuitBreaker;
  readonly #limit: LimitFunction;
  readonly #limitBehind: LimitFunction;

  /**
   * Takes the source for one that answers.
   *
   * @param options What is behind it, and how much it bears.
   */
  constructor({ source, concurrency, observer, now, random }: SourceGateOptions) {
    this.#source = source;
    this.#observer = observer;
    this.#breaker = new CircuitBreaker({
      now,
      random,
      onChange: (isUp, failure) => this.#sourceChanged(isUp, failure),
    });
    this.#limit = pLimit(concurrency);
    // However many checks are due, a device that waits does not stand in line behind them.
    this.#limitBehind = pLimit(Math.max(1, concurrency - 1));
    observer.sourceUp(true);
  }

  /** Whether the last that was heard of the source was an answer. */
  get isUp(): boolean {
    return this.#breaker.isUp;
  }

  /** How the source fails; undefined while it answers. */
  get silence(): Silence | undefined {
    return this.#breaker.silence;
  }

  /** Whether work would be let through now. */
  get admits(): boolean {
    return this.#breaker.admits;
  }

  /**
   * Does a piece of work when its turn comes. The source may fail while work stands in line: the
   * breaker decides before it and behind it.
   *
   * @param work Asks the source.
   * @returns Its outcome.
   * @throws {ServiceError} `source-unavailable` at once in a pause, or what the work throws.
   */
  async ask<T>(work: () => Promise<T>): Promise<T> {
    this.#breaker.check();
    return await this.#limit(() => this.#breaker.run(work));
  }

  /**
   * Puts work off that nobody waits for, so that it leaves a place for who does.
   *
   * @param work Comes through {@linkcode ask} in its turn.
   * @returns Its outcome.
   */
  behind<T>(work: () => Promise<T>): Promise<T> {
    return this.#limitBehind(work);
  }

  /** Notes that the source has answered, for work that goes on after the first answer. */
  answered(): void {
    this.#breaker.succeed();
  }

  /** Asks a silent source whether it is back, unless it has a pause or is being asked. */
  probe(): void {
    void this.#breaker.run(() => this.#source.ping()).catch(() => {});
  }

  #sourceChanged(isUp: boolean, failure: ServiceError | undefined): void {
    this.#observer.sourceUp(isUp);
    if (isUp) log.info("Registry answers again");
    else {
      const reason = describeError(failure);
      const next = adviseNetwork(reason);
      log.warn("Registry does not answer", { reason, ...(next !== undefined && { next }) });
    }
  }
}
