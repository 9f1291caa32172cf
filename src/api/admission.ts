/**
 * How many downloads run at once, and when whoever is sent away may come back.
 *
 * @module
 */

import { ServiceError } from "../errors.ts";
import { logger } from "../log.ts";

/** So many ends tell how fast a place becomes free: the latest ones, since devices come and go. */
const ENDS_LIMIT = 100;

/** So long takes a download, in seconds, while none has ended that would tell. */
const UNKNOWN_DOWNLOAD_SECONDS = 30;

/** Nobody is sent away for longer, in seconds: the queue may be shorter than it seems. */
const RETRY_LIMIT_SECONDS = 3600;

/**
 * So many who were sent away are remembered. More do not make anybody wait longer than the limit:
 * at one download a second they are nearly three hours' work.
 */
const AWAY_LIMIT = 10_000;

const log = logger("api");

/** Options of {@linkcode Admission}. */
export interface AdmissionOptions {
  /** The most at once. */
  readonly limit: number;
  /** Is told of each that is sent away. @default nobody */
  readonly onRefusal?: () => void;
  /** A steady clock in milliseconds. @default performance.now */
  readonly now?: () => number;
  /** A random number from 0 to below 1. @default Math.random */
  readonly random?: () => number;
}

/** The door to the downloads. */
export class Admission {
  readonly #limit: number;
  readonly #onRefusal: () => void;
  readonly #now: () => number;
  readonly #random: () => number;
  #underWay = 0;
  /** For how long all places were taken, in milliseconds, but for the time since `#fullSince`. */
  #fullMs = 0;
  #fullSince: number | undefined;
  /** When places became free that somebody may have waited for, in time of `#fullMs`. */
  #ends: number[] = [0];
  /** When those who were sent away are to come back, as far as that is ahead. */
  #returns: number[] = [];

  /**
   * Lets nobody in yet.
   *
   * @param options How many, and by which clock and chance.
   */
  constructor({ limit, onRefusal, now, random }: AdmissionOptions) {
    this.#limit = limit;
    this.#onRefusal = onRefusal ?? ((): void => {});
    this.#now = now ?? ((): number => performance.now());
    this.#random = random ?? Math.random;
  }

  /**
   * Lets a download begin. {@linkcode Admission.leave} is to follow, once.
   *
   * @throws {ServiceError} `downloads-full`, with when to come back
   */
  enter(): void {
    const now = this.#now();
    if (this.#underWay >= this.#limit) throw this.#refusal(now);
    if (++this.#underWay === this.#limit) this.#fullSince = now;
  }

  /** Tells that a download has ended, however. */
  leave(): void {
    if (this.#underWay-- < this.#limit) return;
    this.#fullMs = this.#fullMsAt(this.#now());
    this.#fullSince = undefined;
    this.#ends.push(this.#fullMs);
    if (this.#ends.length > ENDS_LIMIT) this.#ends.shift();
  }

  /** All who wait get their turn within the time that the queue needs, so each comes back in it. */
  #refusal(now: number): ServiceError {
    this.#returns = this.#returns.filter((at) => at > now);
    if (this.#returns.length === 0) {
      log.warn("Downloads are at their limit, others are sent away", { limit: this.#limit });
    }
    const queueSeconds = (this.#returns.length + 1) / this.#endsPerSecond(now);
    const spread = Math.min(queueSeconds, RETRY_LIMIT_SECONDS) * this.#random();
    const retryAfterSeconds = Math.floor(spread) + 1;
    if (this.#returns.length < AWAY_LIMIT) this.#returns.push(now + retryAfterSeconds * 1000);
    this.#onRefusal();
    return new ServiceError("downloads-full", "Too many downloads are under way, come back later", {
      retryAfterSeconds,
    });
  }

  /** Only the time with all places taken counts: how fast a few end says little of many. */
  #endsPerSecond(now: number): number {
    const [first = 0, ...ends] = this.#ends;
    const seconds = (this.#fullMsAt(now) - first) / 1000;
    if (ends.length > 0 && seconds > 0) return ends.length / seconds;
    // None has ended yet: they take as long at least as they are under way.
    return this.#limit / Math.max(seconds, UNKNOWN_DOWNLOAD_SECONDS);
  }

  #fullMsAt(now: number): number {
    return this.#fullMs + (now - (this.#fullSince ?? now));
  }
}
