/**
 * Reads small answers whole before they are handed on: one that breaks off is then asked for again
 * like one that never came, and one that trickles in does not keep a device waiting for ever.
 *
 * @module
 */

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
    return new Response(await readWhole(response.body, { limit, ...options }), response);
  };
}

async function readWhole(
  body: ReadableStream<Uint8Array>,
  { limit, idleMs }: DocumentOptions & { readonly limit: number },
): Promise<Blob> {
  const reader = body.getReader();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    reader.cancel().catch(() => {});
  }, idleMs);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (isLate) {
        throw new ServiceError("source-timeout", `Registry took more than ${idleMs / 1000} s`);
      }
      if (done) return new Blob(chunks);
      length += value.length;
      if (length > limit) {
        throw new ServiceError("source-invalid", `Registry's answer is longer than ${limit} bytes`);
      }
      chunks.push(new Uint8Array(value));
    }
  } finally {
    clearTimeout(timer);
    reader.cancel().catch(() => {});
  }
}
