/**
 * A name for each request, so that lines of a device, a proxy and this service can be joined.
 *
 * @module
 */

import type { Context, MiddlewareHandler, Next } from "hono";
import { logger } from "../log.ts";

/** The header that carries the name, in and out. */
export const REQUEST_ID = "x-request-id";

/** Under which the name is kept with the request. */
const KEY = "requestId";

/** What proxies and tracers make; anything else might be meant to confuse a log. */
const SANE_ID = /^[\w.:\/+=@\-]{1,64}$/;

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
 * A middleware before all others: takes over the name that a request has or makes one, keeps it
 * with the request, and logs one line when the answer begins.
 *
 * @param options Clock and names.
 * @returns The middleware.
 */
export function identifyRequests(
  { now = () => performance.now(), makeId = () => crypto.randomUUID() }: IdentifyOptions = {},
): MiddlewareHandler {
  return function identifyRequest(c, next): Promise<void> {
    const given = c.req.header(REQUEST_ID) ?? "";
    const requestId = SANE_ID.test(given) ? given : makeId();
    c.set(KEY, requestId);
    return log.isEnabledFor("debug") ? logRequest(c, next, now) : next();
  };
}

async function logRequest(c: Context, next: Next, now: () => number): Promise<void> {
  const start = now();
  await next();
  log.debug("Request is answered", {
    method: c.req.method,
    path: shownPath(c.req.path),
    status: c.res.status,
    milliseconds: Math.round(now() - start),
    requestId: requestIdOf(c),
  });
}

/**
 * The name of a request.
 *
 * @param c The request.
 * @returns Its name; undefined where nobody has named it.
 */
export function requestIdOf(c: Context): string | undefined {
  return c.get(KEY);
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
