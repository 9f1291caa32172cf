/**
 * Lets nobody in who knows no token.
 *
 * @module
 */

import type { MiddlewareHandler } from "hono";
import { logger } from "../log.ts";
import { failure } from "./answers.ts";
import { shownPath } from "./request_id.ts";
import type { DeviceTokens } from "./tokens.ts";

/** What those ask who watch over the service: they know no tokens, and learn of no firmware. */
const OPEN_PATHS: readonly string[] = ["/health", "/ready"];

/** Registries prove themselves with secrets of their own. */
const OPEN_FOLDER = "/webhooks/";

const log = logger("api");

/**
 * A middleware before all routes that are for devices.
 *
 * @param tokens What devices have to know.
 * @returns The middleware. What follows it never sees a request of somebody else.
 */
export function authorize(
  tokens: Pick<DeviceTokens, "accepts" | "challenge">,
): MiddlewareHandler {
  return async function authorizeRequest(c, next): Promise<Response | void> {
    const { path } = c.req;
    if (OPEN_PATHS.includes(path) || path.startsWith(OPEN_FOLDER)) return await next();
    if (tokens.accepts(c.req.header("authorization"))) return await next();
    log.debug("Request is not authorised", { path: shownPath(path) });
    return failure(c, {
      status: 401,
      body: "Credentials are missing or wrong",
      headers: { "www-authenticate": tokens.challenge },
    });
  };
}
