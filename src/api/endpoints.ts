/**
 * What devices ask.
 *
 * @module
 */

import type { Context } from "hono";
import { ServiceError } from "../errors.ts";
import type { Firmware } from "../firmware/firmware.ts";
import type { FirmwareManager } from "../firmware/manager.ts";
import { keyOf, type Query } from "../selection.ts";
import type { Announcements } from "./announcements.ts";
import { answer, failure, respond } from "./answers.ts";
import { chipFamily, esphomeManifest } from "./dialects/esphome.ts";
import { swupdateError, swupdateReply } from "./dialects/swupdate.ts";
import { headersInDialect, replyInDialect, runningVersion } from "./dialects/table.ts";
import type { Downloads } from "./downloads.ts";
import { answerFirmware } from "./firmware_resource.ts";
import { CACHE_CONTROL } from "./representation.ts";
import { hasNothingNewer, queryOf, type QueryParameters } from "./selection.ts";
import { isContinuation, servedFirmware } from "./served.ts";
import { answerVersion, negotiateForm } from "./version_resource.ts";

/** Told of what the fleet runs, for metrics. */
export interface FleetObserver {
  /** A device that exists says which version it runs: any text; it is offered another. */
  polled(device: string, versions: { readonly running: string; readonly offered: string }): void;
}

/** What the endpoints work with. */
export interface EndpointOptions {
  /** Answers which firmware a device may have. */
  readonly manager: Pick<
    FirmwareManager,
    "get" | "getAnnounced" | "open" | "ageSeconds" | "isReady"
  >;
  /** Sends firmware. */
  readonly downloads: Downloads;
  /** Remembers what clients were told. */
  readonly announcements: Announcements;
  /** Told of what devices run. @default nobody */
  readonly fleet?: FleetObserver;
}

/**
 * `GET /version?device=X`, perhaps with parameters of `selection.ts`: version, CRC-32 in decimal and
 * size in bytes, each on a line; or an object, where JSON is asked for.
 *
 * @param c The request.
 * @param options What it works with.
 * @returns The answer.
 * @throws {ServiceError} As the manager does.
 */
export async function version(c: Context, options: EndpointOptions): Promise<Response> {
  const told = await tell(c, readQuery(c), options);
  if (hasNothingNewer(c, told.firmware)) return nothing(c);
  const headers = { ...told.headers, vary: "Accept" };
  return answerVersion(c, negotiateForm(c), { ...told, headers });
}

/**
 * `GET /version.json?device=X`: the object, whatever is accepted.
 *
 * @param c The request.
 * @param options What it works with.
 * @returns The answer.
 * @throws {ServiceError} As the manager does.
 */
export async function versionJson(c: Context, options: EndpointOptions): Promise<Response> {
  const told = await tell(c, readQuery(c), options);
  return hasNothingNewer(c, told.firmware) ? nothing(c) : answerVersion(c, "json", told);
}

/**
 * `GET /firmware?device=X`: the bytes of the firmware that this client was told of, or the newest.
 *
 * @param c The request.
 * @param options What it works with.
 * @returns The answer.
 * @throws {ServiceError} As the manager does.
 */
export async function firmware(c: Context, options: EndpointOptions): Promise<Response> {
  const query = readQuery(c);
  const firmware = await servedFirmware(c, query, options);
  if (!isContinuation(c)) notePoll(c, { query, firmware, ...options });
  if (hasNothingNewer(c, firmware)) return nothing(c);
  const { manager, downloads } = options;
  return replyInDialect(c, firmware) ?? await answerFirmware(c, {
    firmware,
    headers: { ...ageHeader(query, firmware, options), ...headersInDialect(c, firmware) },
    open: () => manager.open(query, firmware),
    send: (reader) => downloads.send(reader),
  });
}

/**
 * `GET /esphome/X/manifest.json`: what ESPHome and ESP Web Tools want to know.
 *
 * @param c The request.
 * @param options What it works with.
 * @returns The manifest; 404 where it is not known which chip the firmware is for.
 * @throws {ServiceError} As the manager does.
 */
export async function esphome(c: Context, options: EndpointOptions): Promise<Response> {
  const asked = queryOf(c.req.queries(), c.req.param("device") ?? "");
  const { query, firmware, headers } = await tell(c, asked, options);
  const family = await chipFamily(firmware, () => options.manager.open(query, firmware));
  if (family === undefined) {
    const body = `Firmware of device '${query.device}' does not say which chip it is for`;
    return failure(c, { status: 404, body });
  }
  return answer(c, {
    status: 200,
    body: JSON.stringify(esphomeManifest(query, family, firmware)),
    type: "application/json",
    headers: { ...headers, "cache-control": CACHE_CONTROL },
  });
}

/**
 * `GET /swupdate?device=X&current=1.2.3`: sends SWUpdate to a firmware that it does not run.
 *
 * @param c The request.
 * @param options What it works with.
 * @returns 302, or 404 where there is nothing else.
 * @throws {ServiceError} As the manager does, but `firmware-unavailable` for all that may pass.
 */
export async function swupdate(c: Context, options: EndpointOptions): Promise<Response> {
  try {
    const { query, firmware } = await tell(c, readQuery(c), options);
    return swupdateReply(c, { query, firmware, running: runningVersion(c) });
  } catch (error) {
    throw swupdateError(error);
  }
}

/**
 * `GET /health`: says that the process answers.
 *
 * @param c The request.
 * @returns An empty answer of status 200.
 */
export function health(c: Context): Response {
  return answer(c, { status: 200, body: "" });
}

/**
 * `GET /ready`: says whether there is any use in sending devices here.
 *
 * @param c The request.
 * @param options What it works with.
 * @returns An empty answer of status 200, or one of 503 that says why not.
 */
export function ready(c: Context, { manager }: EndpointOptions): Response {
  if (manager.isReady()) return answer(c, { status: 200, body: "" });
  const body = "Source of firmware does not answer, and nothing is cached";
  return failure(c, { status: 503, body, headers: { "retry-after": "5" } });
}

/** Finds the newest firmware that is asked for, and remembers that this client is told of it. */
async function tell(
  c: Context,
  query: Query,
  options: EndpointOptions,
): Promise<{ query: Query; firmware: Firmware; headers: Record<string, string> }> {
  const firmware = await options.manager.get(query);
  notePoll(c, { query, firmware, ...options });
  // HEAD shows no version, so it announces none.
  if (c.req.method === "GET") options.announcements.remember(c, keyOf(query), firmware);
  return { query, firmware, headers: ageHeader(query, firmware, options) };
}

/** Nothing that the client does not have: a head, and nothing behind it. */
function nothing(c: Context): Response {
  return respond(c, { status: 204, headers: { "cache-control": CACHE_CONTROL } });
}

function notePoll(
  c: Context,
  { query, firmware, fleet }: EndpointOptions & {
    readonly query: Query;
    readonly firmware: Firmware;
  },
): void {
  const running = runningVersion(c);
  if (running !== undefined) fleet?.polled(query.device, { running, offered: firmware.version });
}

/** Seconds since the registry said that this is the newest (RFC 9111, 5.1). */
function ageHeader(
  query: Query,
  firmware: Firmware,
  { manager }: EndpointOptions,
): Record<string, string> {
  const age = manager.ageSeconds(query, firmware);
  return age === undefined ? {} : { age: String(Math.floor(age)) };
}

function readQuery(c: Context): Query {
  const parameters = c.req.queries();
  return queryOf(parameters, deviceOf(parameters));
}

function deviceOf({ device: given = [] }: QueryParameters): string {
  const [device, ...others] = given;
  if (!device) {
    throw new ServiceError("device-invalid", "Missing required query parameter: 'device'");
  }
  if (others.length > 0) {
    throw new ServiceError("device-invalid", "Query parameter 'device' is given more than once");
  }
  return device;
}
