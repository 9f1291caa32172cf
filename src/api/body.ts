/**
 * Bodies of requests, within limits.
 *
 * @module
 */

import { bytesOf } from "../byte_stream.ts";

/** What can be wrong with a body. */
export type BodyFault = "endless" | "too-large" | "too-slow" | "cut";

/** Limits of {@linkcode readBody}. */
export interface BodyLimits {
  /** The most bytes. */
  readonly maxBytes: number;
  /** How long it may take, in milliseconds. */
  readonly maxMs: number;
}

/**
 * Reads the body of a request, and not a byte more than it may have. One in chunks does not say how
 * many bytes it has, and is not read at all.
 *
 * @param request The request.
 * @param limits How much, and how long.
 * @returns All of it, or what is wrong with it.
 */
export async function readBody(
  request: Request,
  { maxBytes, maxMs }: BodyLimits,
): Promise<Uint8Array<ArrayBuffer> | BodyFault> {
  const { body, headers } = request;
  if (body === null) return new Uint8Array();
  // The runtime keeps all that stands behind the last chunk, however much, for a reader of the body.
  const isEndless = headers.has("transfer-encoding");
  if (isEndless || Number(headers.get("content-length")) > maxBytes) {
    await body.cancel();
    return isEndless ? "endless" : "too-large";
  }
  const stop = new AbortController();
  const id = setTimeout(() => stop.abort(), maxMs);
  try {
    return await bytesOf(body, { limit: maxBytes, signal: stop.signal }) ?? "too-large";
  } catch {
    return stop.signal.aborted ? "too-slow" : "cut";
  } finally {
    clearTimeout(id);
  }
}
