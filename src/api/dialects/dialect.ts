/**
 * What differs between the clients that ask `/firmware`.
 *
 * @module
 */

import type { Context } from "hono";
import type { Firmware } from "../../firmware/firmware.ts";
import { respond } from "../answers.ts";
import type { HeaderFields } from "../head.ts";
import { CACHE_CONTROL, validatorsOf } from "../representation.ts";

/** A kind of client. What it does not say or want otherwise, the plain resource answers. */
export interface Dialect {
  /** The version that the client says it runs; undefined where it is none of this kind. */
  readonly runningVersion: (c: Context) => string | undefined;
  /** Answers in the client's own form; undefined where the plain resource is the answer. */
  readonly reply?: (c: Context, firmware: Firmware) => Response | undefined;
  /** What the client wants to read in the head of the plain resource. */
  readonly headers?: (c: Context, firmware: Firmware) => HeaderFields;
}

/**
 * Tells a client that it runs what it would be served, although it asked without a condition.
 *
 * @param c The request.
 * @param firmware What it runs.
 * @returns 304, which many clients take for "no update".
 */
export function upToDate(c: Context, firmware: Firmware): Response {
  const { etag } = validatorsOf(firmware);
  return respond(c, { status: 304, headers: { "etag": etag, "cache-control": CACHE_CONTROL } });
}
