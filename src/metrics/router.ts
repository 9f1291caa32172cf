/**
 * The metrics listener's routes.
 *
 * @module
 */

import { Hono } from "hono";
import type { Metrics } from "./metrics.ts";

/**
 * Builds the application that Prometheus talks to.
 *
 * @param metrics What is exposed.
 * @returns An application that answers `GET /metrics`.
 */
export function createMetricsRouter(metrics: Metrics): Hono {
  return new Hono().get("/metrics", async (c) => {
    return c.body(await metrics.expose(), 200, { "content-type": metrics.contentType });
  });
}
