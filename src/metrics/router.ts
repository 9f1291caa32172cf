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
 * @param others What else this listener answers. @default nothing
 * @returns An application that answers `GET /metrics`, and HEAD.
 */
export function createMetricsRouter(metrics: Metrics, others: Hono = new Hono()): Hono {
  const app = new Hono();
  app.route("/", others);
  app.get("/metrics", async (c) => {
    const body = new TextEncoder().encode(await metrics.expose());
    // The length is told here, since for HEAD it would be that of no body.
    return c.body(body, 200, {
      "content-type": metrics.contentType,
      "content-length": String(body.length),
    });
  });
  app.all("/metrics", (c) =>
    c.text("Method is not allowed here, want GET, HEAD\n", 405, {
      allow: "GET, HEAD",
    }));
  const paths = [...new Set(app.routes.map(({ path }) => path))].join(", ");
  app.notFound((c) => c.text(`There is nothing at this path, only at ${paths}\n`, 404));
  return app;
}
