/**
 * Bodies of requests, within limits.
 *
 * @module
 */

import { joined } from "../byte_stream.ts";

/** What can be wrong with a body. */
export type BodyFault = "too-large" | "too-slow" | "cut";

/** Limits of {@linkcode readBody}. */
export interface BodyLimits {
  /** The most bytes. */
  readonly maxBytes: number;
  /** How long it may take, in milliseconds. */
  readonly maxMs: number;
}

/**
 * Reads the body of a request, and not a byte more than it may have.
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
  if (Number(headers.get("content-length")) > maxBytes) {
    await body.cancel();
    return "too-large";
  }
  const reader = body.getReader();
  const timer = { isOver: false };
  const id = setTimeout(() => {
    timer.isOver = true;
    void reader.cancel().catch(() => {});
  }, maxMs);
  try {
    const chunks: Uint8Array[] = [];
    for (let left = maxBytes;;) {
      const { done, value } = await reader.read();
      if (timer.isOver) return "too-slow";
      if (done) return joined(chunks);
      left -= value.length;
      if (left < 0) {
        await reader.cancel();
        return "too-large";
      }
      chunks.push(value);
    }
  } catch {
    return timer.isOver ? "too-slow" : "cut";
  } finally {
    clearTimeout(id);
  }
}
