/**
 * Ends requests that make no progress.
 *
 * @module
 */

import { passOn } from "../byte_stream.ts";
import { ServiceError } from "../errors.ts";
import { asUnavailable, type Fetch } from "./fetch.ts";

/** Options of {@linkcode withTimeout}. */
export interface TimeoutOptions {
  /** How long nothing may come, in milliseconds: neither the head nor the next bytes of the body. */
  readonly idleMs: number;
}

/**
 * Adds a time limit that counts from the last progress, so that a large blob over a slow line may
 * take as long as it comes.
 *
 * @param fetch The layer below.
 * @param options The limit.
 * @returns A fetch that throws, or whose body errors with, a ServiceError `source-timeout`.
 */
export function withTimeout(fetch: Fetch, options: TimeoutOptions): Fetch {
  return async (url, init) => {
    const watchdog = new Watchdog(options.idleMs);
    const response = await watchdog.guard(fetch(url, { ...init, signal: watchdog.signal }));
    return response.body === null ? response : watchBody(response, response.body, watchdog);
  };
}

/** The reader of the body may take its time: only the registry is watched. */
function watchBody(
  response: Response,
  body: ReadableStream<Uint8Array>,
  watchdog: Watchdog,
): Response {
  const watched = passOn(body, async (read) => {
    try {
      return await watchdog.guard(read);
    } catch (error) {
      throw asUnavailable(error);
    }
  });
  return new Response(watched, response);
}

/** Gives up what takes too long. */
class Watchdog {
  readonly #idleMs: number;
  readonly #controller = new AbortController();

  constructor(idleMs: number) {
    this.#idleMs = idleMs;
  }

  /** Ends the request, as far as it can still be reached. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /**
   * Waits, but not for ever. The signal alone is not enough: seen on Deno 2.6.8, a body that
   * stalled long after its head did not hear of it.
   */
  async guard<T>(work: Promise<T>): Promise<T> {
    let timer;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const seconds = this.#idleMs / 1000;
        const error = new ServiceError(
          "source-timeout",
          `Registry made no progress for ${seconds} s`,
        );
        reject(error);
        this.#controller.abort(error);
      }, this.#idleMs);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
