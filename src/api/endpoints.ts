/**
 * What devices ask.
 *
 * @module
 */

import type { Context } from "hono";
import { isServiceError, ServiceError } from "../errors.ts";
import type { Firmware } from "../firmware/firmware.ts";
import type { FirmwareManager } from "../firmware/manager.ts";
import type { Announcements } from "./announcements.ts";
import { failure, text } from "./answers.ts";
import type { Downloads } from "./downloads.ts";

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
}

/**
 * `GET /version?device=X`: version, CRC-32 in decimal and size in bytes, each on a line.
 *
 * @param c The request.
 * @param options What it works with.
 * @returns The answer.
 * @throws {ServiceError} As the manager does.
 */
export async function version(c: Context, options: EndpointOptions): Promise<Response> {
  const device = deviceOf(c);
  const firmware = await options.manager.get(device);
  // HEAD shows no version, so it announces none.
  if (c.req.method === "GET") options.announcements.remember(c, device, firmware);
  // No line break at the end: the Rust OtaFlux sends none, and devices parse what it sends.
  return text(c, {
    status: 200,
    body: `${firmware.version}\n${firmware.crc32}\n${firmware.size}`,
    headers: ageHeader(device, firmware, options),
  });
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
  const device = deviceOf(c);
  const firmware = await choose(c, { device, ...options });
  const { manager, downloads } = options;
  const body = c.req.method === "HEAD"
    ? null
    : downloads.send(await manager.open(device, firmware));
  return new Response(body, {
    headers: {
      "content-type": "application/octet-stream",
      "content-length": String(firmware.size),
      ...ageHeader(device, firmware, options),
    },
  });
}

/**
 * `GET /health`: says that the process answers.
 *
 * @param c The request.
 * @returns An empty answer of status 200.
 */
export function health(c: Context): Response {
  return text(c, { status: 200, body: "" });
}

/**
 * `GET /ready`: says whether there is any use in sending devices here.
 *
 * @param c The request.
 * @param options What it works with.
 * @returns An empty answer of status 200, or one of 503 that says why not.
 */
export function ready(c: Context, { manager }: EndpointOptions): Response {
  if (manager.isReady()) return text(c, { status: 200, body: "" });
  const body = "Source of firmware does not answer, and nothing is cached";
  return failure(c, { status: 503, body, headers: { "retry-after": "5" } });
}

async function choose(
  c: Context,
  { device, manager, announcements }: EndpointOptions & { readonly device: string },
): Promise<Firmware> {
  const announced = announcements.recall(c, device);
  if (announced === undefined) return await manager.get(device);
  try {
    return await manager.getAnnounced(device, announced);
  } catch (error) {
    if (isServiceError(error, "firmware-gone")) announcements.forget(c, device);
    throw error;
  }
}

/** Seconds since the registry said that this is the newest (RFC 9111, 5.1). */
function ageHeader(
  device: string,
  firmware: Firmware,
  { manager }: EndpointOptions,
): Record<string, string> {
  const age = manager.ageSeconds(device, firmware);
  return age === undefined ? {} : { age: String(Math.floor(age)) };
}

function deviceOf(c: Context): string {
  const [device, ...others] = c.req.queries("device") ?? [];
  if (!device) {
    throw new ServiceError("device-invalid", "Missing required query parameter: 'device'");
  }
  if (others.length > 0) {
    throw new ServiceError("device-invalid", "Query parameter 'device' is given more than once");
  }
  return device;
}
