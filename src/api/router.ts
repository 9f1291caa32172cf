/**
 * The API listener's routes.
 *
 * @module
 */

import { type Context, Hono, type MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import { describeError, type ErrorCode, isServiceError } from "../errors.ts";
import { logger } from "../log.ts";
import { failure, serviceFailure } from "./answers.ts";
import { allowOrigins } from "./cors.ts";
import {
  type EndpointOptions,
  esphome,
  firmware,
  health,
  ready,
  swupdate,
  version,
  versionJson,
} from "./endpoints.ts";
import { requestIdOf } from "./request_id.ts";
import { type WebhookOptions, webhookRoutes } from "./receiver.ts";

const log = logger("api");

/**
 * What devices are told every day, as often as they ask: at `warn` it would fill the log. All else is
 * for an operator to look into.
 */
const EVERYDAY: readonly ErrorCode[] = [
  "device-invalid",
  "selection-invalid",
  "firmware-unknown",
  "selection-unmatched",
  "downloads-full",
];

/** Options of {@linkcode createRouter}. */
export interface RouterOptions extends EndpointOptions {
  /** Sees each request and its answer. */
  readonly observe: MiddlewareHandler;
  /** Whose pages may read answers in a browser; `*` for all. @default nobody's */
  readonly corsOrigins?: readonly string[];
  /** What registries' webhooks work with. @default none are taken */
  readonly webhooks?: WebhookOptions;
  /** Let a request pass to the routes or answer it, in this order. @default none */
  readonly before?: readonly MiddlewareHandler[];
}

type Handler = (c: Context, options: RouterOptions) => Response | Promise<Response>;

/** Which path answers which method. HEAD goes with GET: `answer` leaves the body out. */
const ROUTES: Readonly<Record<string, Readonly<Record<string, Handler>>>> = {
  "/health": { GET: health },
  "/ready": { GET: ready },
  "/version": { GET: version },
  "/version.json": { GET: versionJson },
  "/firmware": { GET: firmware },
  "/esphome/:device{.+}/manifest.json": { GET: esphome },
  "/swupdate": { GET: swupdate },
};

/**
 * Builds the application that devices talk to.
 *
 * @param options What the endpoints work with.
 * @returns The application; its environment is what `Deno.serve` tells of a request.
 */
export function createRouter(options: RouterOptions): Hono {
  const app = new Hono();
  app.use(options.observe);
  const { corsOrigins = [] } = options;
  if (corsOrigins.length > 0) app.use(allowOrigins(corsOrigins));
  for (const handler of options.before ?? []) app.use(handler);
  const webhooks = options.webhooks && webhookRoutes(options.webhooks);
  const routes: typeof ROUTES = { ...ROUTES, ...webhooks };
  for (const [path, handlers] of Object.entries(routes)) {
    for (const [method, handler] of Object.entries(handlers)) {
      app.on(method, path, (c) => handler(c, options));
    }
    app.all(path, (c) => methodNotAllowed(c, Object.keys(handlers)));
  }
  app.notFound((c) => {
    const isWebhook = c.req.path.startsWith("/webhooks/");
    const paths = Object.keys((isWebhook && webhooks) || ROUTES).join(", ")
      .replaceAll(/:(\w+)\{.*?\}/g, "<$1>");
    return failure(c, { status: 404, body: `There is nothing at this path, only at ${paths}` });
  });
  app.onError((error, c) => answerError(c, error));
  return app;
}

function methodNotAllowed(c: Context, methods: readonly string[]): Response {
  const allow = methods.flatMap((method) => method === "GET" ? ["GET", "HEAD"] : [method]);
  const list = allow.join(", ");
  return failure(c, {
    status: 405,
    body: `Method is not allowed here, want ${list}`,
    headers: { allow: list },
  });
}

function answerError(c: Context, error: Error): Response {
  // The route, not the path: that of a webhook may hold its secret.
  const request = {
    path: routePath(c, -1),
    device: c.req.query("device")?.slice(0, 255),
    requestId: requestIdOf(c),
  };
  if (!isServiceError(error)) {
    log.error("Request failed for an unknown reason", { ...request, error: error.stack });
    return failure(c, { status: 500, body: "Internal error" });
  }
  const details = { ...request, code: error.code, reason: describeError(error) };
  log[EVERYDAY.includes(error.code) ? "debug" : "warn"]("Request cannot be answered", details);
  return serviceFailure(c, error);
}
