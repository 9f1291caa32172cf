/**
 * Ends requests that make no progress.
 *
 * @module
 */

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
    try {
      const response = await fetch(url, { ...init, signal: watchdog.signal });
      return response.body === null ? response : watchBody(response, response.body, watchdog);
    } finally {
      watchdog.rest();
    }
  };
}

function watchBody(
  response: Response,
  body: ReadableStream<Uint8Array>,
  watchdog: Watchdog,
): Response {
  const reader = body.getReader();
  const watched = new ReadableStream<Uint8Array>({
    async pull(controller): Promise<void> {
      watchdog.watch();
      try {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        controller.error(watchdog.signal.aborted ? watchdog.signal.reason : asUnavailable(error));
      } finally {
        // The reader of this stream may take its time: only the registry is watched.
        watchdog.rest();
      }
    },
    async cancel(reason): Promise<void> {
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
  return new Response(watched, response);
}

/** Aborts its signal unless it is told to rest in time. */
class Watchdog {
  readonly #idleMs: number;
  readonly #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(idleMs: number) {
    this.#idleMs = idleMs;
    this.watch();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  watch(): void {
    this.#timer = setTimeout(() => {
      const seconds = this.#idleMs / 1000;
      this.#controller.abort(
        new ServiceError("source-timeout", `Registry made no progress for ${seconds} s`),
      );
    }, this.#idleMs);
  }

  rest(): void {
    clearTimeout(this.#timer);
  }
}
