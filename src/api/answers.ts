/**
 * How answers look on the wire. Devices in the field read them with a few lines of code each: they
 * ignore status and headers, know no chunks, and have little memory.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Context } from "hono";
import { type ErrorCode, ServiceError } from "../errors.ts";
import { fitHead, type HeaderFields } from "./head.ts";
import { REQUEST_ID, requestIdOf } from "./request_id.ts";

/** The only place where a code becomes a status. */
const STATUSES = {
  "device-invalid": 400,
  "firmware-unknown": 404,
  "selection-invalid": 400,
  "selection-unmatched": 404,
  "firmware-gone": 503,
  "firmware-unavailable": 503,
  "downloads-full": 503,
  "artifact-invalid": 502,
  "signature-invalid": 502,
  "storage-failed": 503,
  "source-unavailable": 502,
  "source-timeout": 504,
  "source-refused": 502,
  "source-invalid": 502,
  "events-full": 503,
} as const satisfies Record<ErrorCode, number>;

/** When a device may ask again where the source did not say: most outages outlast a few seconds. */
const RETRY_AFTER_SECONDS = 30;

/** No device is sent away for longer, whatever the source says. */
const RETRY_AFTER_LIMIT_SECONDS = 3600;

/** Plain text, as the Rust OtaFlux says it. */
const TEXT = "text/plain; charset=utf-8";

/** What an answer consists of. */
export interface Answer {
  /** HTTP status. */
  readonly status: number;
  /** The whole body. */
  readonly body: string;
  /** What the body is. @default plain text */
  readonly type?: string;
  /** Headers beside `content-type` and `content-length`. @default none */
  readonly headers?: HeaderFields;
}

/** The head of an answer, and what is sent behind it. */
export interface BareAnswer {
  /** HTTP status. */
  readonly status: number;
  /** Headers. */
  readonly headers: HeaderFields;
  /** The body, whole or in chunks. @default none */
  readonly body?: string | ReadableStream<Uint8Array<ArrayBuffer>>;
}

/**
 * Builds an answer with the headers that are given, and the request's name where it fits the head.
 * All answers are made here: a header that is added later costs `Deno.serve` a third of its speed.
 *
 * @param c The request.
 * @param answer What to say.
 * @returns The response.
 */
export function respond(c: Context, { status, headers, body }: BareAnswer): Response {
  const head = fitHead(headers, { [REQUEST_ID]: requestIdOf(c) });
  return new Response(body, { status, headers: head });
}

/**
 * Builds an answer with its true length, also to HEAD.
 *
 * @param c The request.
 * @param answer What to say.
 * @returns The response.
 */
export function answer(c: Context, { status, body, type = TEXT, headers }: Answer): Response {
  const fields = { "content-type": type, ...headers };
  // `Deno.serve` sees how long a string is.
  if (c.req.method !== "HEAD") return respond(c, { status, headers: fields, body });
  const length = String(Buffer.byteLength(body));
  return respond(c, { status, headers: { ...fields, "content-length": length } });
}

/**
 * Builds an answer that says in one sentence what is wrong. The two line breaks at its end let
 * devices stop reading that wait for a third line.
 *
 * @param c The request.
 * @param problem Status, sentence and headers.
 * @returns The response.
 */
export function failure(c: Context, problem: Answer): Response {
  return answer(c, { ...problem, body: `${problem.body}\n\n` });
}

/**
 * Tells whether a later request may succeed.
 *
 * @param code What went wrong.
 * @returns Whether it may.
 */
export function isTemporary(code: ErrorCode): boolean {
  return STATUSES[code] >= 500;
}

/**
 * Builds the answer to an error.
 *
 * @param c The request.
 * @param error What went wrong.
 * @returns The response, with `retry-after` where a later request may succeed.
 */
export function serviceFailure(c: Context, error: ServiceError): Response {
  const status = STATUSES[error.code];
  const seconds = Math.min(
    Math.max(error.retryAfterSeconds ?? RETRY_AFTER_SECONDS, 1),
    RETRY_AFTER_LIMIT_SECONDS,
  );
  const headers = isTemporary(error.code) ? { "retry-after": String(seconds) } : undefined;
  return failure(c, { status, body: error.message, ...(headers && { headers }) });
}
