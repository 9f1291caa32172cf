/**
 * A name for each request, so that lines of a device, a proxy and this service can be joined.
 *
 * @module
 */

import type { MiddlewareHandler } from "hono";
import { logger } from "../log.ts";

const NAME = "x-request-id";

/** What proxies and tracers make; anything else might be meant to confuse a log. */
const SANE_ID = /^[\w.:\/+=@\-]{1,64}$/;

/** ESPHome reads the head of an answer into 512 bytes; so many are used at most. */
const HEAD_LIMIT_BYTES = 480;

/** The status line, and what `Deno.serve` adds: `date`, and `vary` or `connection` here and there. */
const SERVER_BYTES = 140;

/** So much of a path is logged: strangers send long ones. */
const PATH_LENGTH = 200;

const log = logger("api");

/** Options of {@linkcode identifyRequests}. */
export interface IdentifyOptions {
  /** A steady clock in milliseconds. @default performance.now */
  readonly now?: () => number;
  /** Makes a name that no other request has. @default crypto.randomUUID */
  readonly makeId?: () => string;
}

/**
 * A middleware before all others: takes over the name that a request has or makes one, says it in
 * the answer where there is room for it, and logs one line when the answer begins.
 *
 * @param options Clock and names.
 * @returns The middleware.
 */
export function identifyRequests(
  { now = () => performance.now(), makeId = () => crypto.randomUUID() }: IdentifyOptions = {},
): MiddlewareHandler {
  return async function identifyRequest(c, next): Promise<void> {
    const start = now();
    const given = c.req.header(NAME) ?? "";
    const requestId = SANE_ID.test(given) ? given : makeId();
    await next();
    const { status, headers } = c.res;
    const bytes = headBytes(headers) + `${NAME}: ${requestId}\r\n`.length;
    if (bytes <= HEAD_LIMIT_BYTES) headers.set(NAME, requestId);
    log.debug("Request is answered", () => ({
      method: c.req.method,
      path: shownPath(c.req.path),
      status,
      milliseconds: Math.round(now() - start),
      requestId,
    }));
  };
}

/**
 * A path as it may be logged. What follows a webhook's name may be its secret, also where the path
 * is mistyped and leads nowhere.
 *
 * @param path A request's.
 * @returns It, without a secret, and not too long.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(shownPath("/version"), "/version");
 * assert.equal(shownPath("/webhooks/quay/secret"), "/webhooks/quay/…");
 * ```
 */
export function shownPath(path: string): string {
  return path.replace(/(\/webhooks\/+[^/]*\/).*/is, "$1…").slice(0, PATH_LENGTH);
}

function headBytes(headers: Headers): number {
  let bytes = SERVER_BYTES;
  for (const [name, value] of headers) bytes += `${name}: ${value}\r\n`.length;
  return bytes;
}
