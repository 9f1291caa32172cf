/**
 * The page's routes, for the listener that operators reach and devices do not.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { type Context, Hono } from "hono";
import type { StatusPorts } from "./facts.ts";
import { renderPage } from "./page.ts";
import type { DeviceQuery } from "./selection.ts";
import { readStatus } from "./status.ts";
import { STYLE } from "./style.ts";

/** No device id is longer, in characters, so no part of one is either. */
const ID_LIMIT = 255;

/** Of all that a browser could load or do, the page needs its own style and its own form. */
const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'`,
  "img-src data:",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

/** What stands is true for the moment: nobody keeps it, and nobody takes it for another type. */
const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": POLICY,
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;

/**
 * Builds the application that shows how things stand.
 *
 * @param ports Where the facts come from.
 * @returns An application that answers `GET /` and `GET /api/status`, and HEAD.
 */
export function createStatusRouter(ports: StatusPorts): Hono {
  const app = new Hono();
  app.get("/", async (c) => {
    const page = await renderPage(readStatus(ports, queryOf(c)));
    return answer(c, "text/html; charset=utf-8", page);
  });
  app.get("/api/status", (c) => {
    const status = readStatus(ports, queryOf(c));
    return answer(c, "application/json", `${JSON.stringify(status, null, 2)}\n`);
  });
  for (const path of ["/", "/api/status"]) {
    app.all(path, (c) =>
      c.text("Method is not allowed here, want GET, HEAD\n", 405, {
        allow: "GET, HEAD",
      }));
  }
  return app;
}

function queryOf(c: Context): DeviceQuery {
  const { device = "", after = "", only } = c.req.query();
  return {
    prefix: device.trim().slice(0, ID_LIMIT),
    after: after.slice(0, ID_LIMIT),
    isFailing: only === "failing",
  };
}

function answer(c: Context, type: string, text: string): Response {
  const body = new TextEncoder().encode(text);
  // The length is told here, since for HEAD it would be that of no body.
  return c.body(body, 200, {
    ...HEADERS,
    "content-type": type,
    "content-length": String(body.length),
  });
}
