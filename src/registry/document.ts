/**
 * Reads small answers whole before they are handed on: one that breaks off is then asked for again
 * like one that never came, and one that trickles in does not keep a device waiting for ever.
 *
 * @module
 */

import { bytesOf } from "../byte_stream.ts";
import { ServiceError } from "../errors.ts";
import type { Fetch } from "./fetch.ts";

/** Options of {@linkcode withWholeDocuments}. */
export interface DocumentOptions {
  /** How long a document may take from its head to its end, in milliseconds. */
  readonly idleMs: number;
}

/**
 * Adds the reading of documents: of good answers to requests that name a limit for their body.
 *
 * @param fetch The layer below.
 * @param options The limit in time.
 * @returns A fetch that throws `source-invalid` for a document that is longer than its limit, and
 * `source-timeout` for one that takes too long.
 */
export function withWholeDocuments(fetch: Fetch, options: DocumentOptions): Fetch {
  return async (url, init) => {
    const response = await fetch(url, init);
    const { documentLimitBytes: limit } = init;
    if (limit === undefined || response.status !== 200 || response.body === null) return response;
    const expected = Number(response.headers.get("content-length") ?? undefined);
    const bytes = await inTime(response.body, {
      limit,
      expected: Number.isSafeInteger(expected) ? expected : undefined,
      ...options,
    });
    return new Response(bytes, response);
  };
}

interface ReadOptions extends DocumentOptions {
  readonly limit: number;
  readonly expected: number | undefined;
}

async function inTime(
  body: ReadableStream<Uint8Array>,
  { limit, expected, idleMs }: ReadOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const stop = new AbortController();
  const timer = setTimeout(
    () =>
      stop.abort(
        new ServiceError("source-timeout", `Registry took more than ${idleMs / 1000} s`),
      ),
    idleMs,
  );
  try {
    const bytes = await bytesOf(body, { limit, expected, signal: stop.signal });
    if (bytes !== undefined) return bytes;
    throw new ServiceError("source-invalid", `Registry's answer is longer than ${limit} bytes`);
  } finally {
    clearTimeout(timer);
  }
}
