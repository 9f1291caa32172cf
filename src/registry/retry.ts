/**
 * Sends requests again that failed for a moment.
 *
 * @module
 */

import { backoffMs, type PauseBounds } from "../backoff.ts";
import { isServiceError } from "../errors.ts";
import type { Fetch } from "./fetch.ts";

/** How often a request is sent at most. */
const ATTEMPTS = 3;

/**
 * All attempts and pauses together take no longer than this, in milliseconds, before the last
 * attempt starts: a device that waits for tags, manifest and blob gives up after 30 s.
 */
const BUDGET_MS = 5_000;

const PAUSES: PauseBounds = { firstMs: 200, longestMs: BUDGET_MS };

/** Answers that say "not now": the next one may differ (oras-go retries the same). */
const TRANSIENT_STATUSES = [408, 429, 500, 502, 503, 504];

/** Options of {@linkcode withRetry}. */
export interface RetryOptions {
  /** Waits, in milliseconds. @default setTimeout */
  readonly sleep?: (ms: number) => Promise<void>;
  /** A number from 0 up to 1. @default Math.random */
  readonly random?: () => number;
  /** A steady clock in milliseconds. @default performance.now */
  readonly now?: () => number;
}

/**
 * Adds retries with exponential backoff and jitter, bounded in number and time. `Retry-After`
 * is honoured where it fits into the time, else the answer is handed on with it.
 *
 * @param fetch The layer below.
 * @param options Time and chance.
 * @returns A fetch that fails only if the last attempt did.
 */
export function withRetry(fetch: Fetch, options: RetryOptions = {}): Fetch {
  const {
    sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    random = Math.random,
    now = () => performance.now(),
  } = options;
  return async (url, init) => {
    const deadline = now() + BUDGET_MS;
    for (let attempt = 1;; attempt++) {
      const outcome = await attemptFetch(fetch, url, init);
      const pauseMs = "response" in outcome
        ? retryAfterMs(outcome.response) ?? backoffMs(attempt, random(), PAUSES)
        : backoffMs(attempt, random(), PAUSES);
      if (!isTransient(outcome) || attempt === ATTEMPTS || now() + pauseMs > deadline) {
        if ("error" in outcome) throw outcome.error;
        return outcome.response;
      }
      if ("response" in outcome) await outcome.response.body?.cancel();
      await sleep(pauseMs);
    }
  };
}

type Outcome = { readonly response: Response } | { readonly error: unknown };

async function attemptFetch(fetch: Fetch, ...args: Parameters<Fetch>): Promise<Outcome> {
  try {
    return { response: await fetch(...args) };
  } catch (error) {
    return { error };
  }
}

/** A request that timed out has used the caller's patience up: it is not sent again. */
function isTransient(outcome: Outcome): boolean {
  return "error" in outcome
    ? isServiceError(outcome.error, "source-unavailable")
    : TRANSIENT_STATUSES.includes(outcome.response.status);
}

/**
 * When the server wants to be asked again (RFC 9110, 10.2.3: seconds, or a date, which is of the
 * server's clock: ours may not be set yet, and its own time comes with the answer).
 *
 * @param response Its answer.
 * @returns In how many milliseconds, at least 0; undefined where it did not say.
 */
export function retryAfterMs(response: Response): number | undefined {
  const value = response.headers.get("retry-after")?.trim();
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const date = parseDate(value);
  const sentAt = parseDate(response.headers.get("date") ?? "") ?? Date.now();
  return date === undefined ? undefined : Math.max(0, date - sentAt);
}

/** A date begins with its day of the week; `Date.parse` also takes "1.5" for one, long ago. */
function parseDate(text: string): number | undefined {
  const date = /^[a-z]{3}/i.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(date) ? undefined : date;
}
