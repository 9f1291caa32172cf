/**
 * Tells of each request that is sent: what it asked for, what became of it, how long that took, and
 * how many bytes came.
 *
 * @module
 */

import { passOn } from "../byte_stream.ts";
import { isServiceError } from "../errors.ts";
import type { Fetch, RequestKind } from "./fetch.ts";

/**
 * What becomes of a request.
 *
 * - `ok`: an answer of 2xx.
 * - `redirect`: 3xx, to where the request is sent next.
 * - `unauthorized`: 401 or 403; also the challenge by which a sign-in begins.
 * - `not_found`: 404.
 * - `limited`: 429, too many requests.
 * - `failed`: any other answer.
 * - `timeout`: no answer in time.
 * - `unreachable`: no answer, for another reason.
 */
export type RequestResult =
  | "ok"
  | "redirect"
  | "unauthorized"
  | "not_found"
  | "limited"
  | "failed"
  | "timeout"
  | "unreachable";

/** Told of requests, for metrics. */
export interface RequestObserver {
  /** The head of an answer has come, or it is clear that none will. */
  requested(kind: RequestKind, result: RequestResult, seconds: number): void;
  /** So many more bytes of a body have come. */
  received(kind: RequestKind, bytes: number): void;
}

/** Options of {@linkcode withMeasurement}. */
export interface MeasurementOptions {
  /** Is told. @default nobody */
  readonly observer?: RequestObserver | undefined;
  /** A steady clock in milliseconds. @default performance.now */
  readonly now?: () => number;
}

/**
 * Adds an observer. Without one the layer below is given back as it is.
 *
 * @param fetch The layer below.
 * @param options Who is told, and by which clock.
 * @returns A fetch that answers as the one below.
 */
export function withMeasurement(fetch: Fetch, options: MeasurementOptions): Fetch {
  const { observer, now = () => performance.now() } = options;
  if (observer === undefined) return fetch;
  return async (url, init) => {
    const { kind = "other" } = init;
    const start = now();
    const tell = (result: RequestResult): void =>
      observer.requested(kind, result, (now() - start) / 1000);
    try {
      const response = await fetch(url, init);
      tell(resultOf(response));
      return counted(response, (bytes) => observer.received(kind, bytes));
    } catch (error) {
      tell(isServiceError(error, "source-timeout") ? "timeout" : "unreachable");
      throw error;
    }
  };
}

function resultOf({ status, ok }: Response): RequestResult {
  if (ok) return "ok";
  if (status >= 300 && status < 400) return "redirect";
  if (status === 401 || status === 403) return "unauthorized";
  if (status === 404) return "not_found";
  return status === 429 ? "limited" : "failed";
}

/** The same answer, whose bytes are counted as they are read. */
function counted(response: Response, tell: (bytes: number) => void): Response {
  if (response.body === null) return response;
  const body = passOn(response.body, async (read) => {
    const outcome = await read;
    if (!outcome.done) tell(outcome.value.length);
    return outcome;
  });
  return new Response(body, response);
}
