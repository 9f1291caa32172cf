/**
 * Lets pages of other origins read answers, such as those that flash a chip from a browser.
 *
 * @see https://fetch.spec.whatwg.org/#http-cors-protocol
 * @module
 */

import type { MiddlewareHandler } from "hono";

/**
 * A middleware for all routes. What such pages ask needs no request before it: GET, and at most a
 * range.
 *
 * @param origins Whose pages, such as `https://example.com`; `*` for all.
 * @returns The middleware.
 */
export function allowOrigins(origins: readonly string[]): MiddlewareHandler {
  return async function allowOrigin(c, next): Promise<void> {
    await next();
    // Devices send no origin, and their heads stay as short as they are.
    c.res.headers.append("vary", "Origin");
    const origin = c.req.header("origin");
    if (origin === undefined) return;
    if (origins.includes("*")) c.res.headers.set("access-control-allow-origin", "*");
    else if (origins.includes(origin)) c.res.headers.set("access-control-allow-origin", origin);
  };
}
