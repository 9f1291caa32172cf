/**
 * Counts and times requests.
 *
 * @module
 */

import type { MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import type { Metrics } from "./metrics.ts";

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]);

/**
 * A middleware for all routes. Labels are made of routes, never of what strangers sent.
 *
 * @param metrics Where the requests are counted.
 * @returns The middleware.
 */
export function trackRequests(metrics: Metrics): MiddlewareHandler {
  return async function trackRequest(c, next): Promise<void> {
    const start = performance.now();
    await next();
    const { method } = c.req;
    const route = routePath(c, -1);
    metrics.requests.request({
      method: METHODS.has(method) ? method : "other",
      path: route.includes("*") ? "other" : route,
      status: c.res.status,
    }, (performance.now() - start) / 1000);
  };
}
