/**
 * Which firmware a client is served: what it has begun to download, else what it was told of, else
 * the newest.
 *
 * @module
 */

import type { Context } from "hono";
import { isServiceError } from "../errors.ts";
import type { Firmware } from "../firmware/firmware.ts";
import type { FirmwareManager } from "../firmware/manager.ts";
import { keyOf, type Query } from "../selection.ts";
import type { Announcements } from "./announcements.ts";

/** What is asked for the firmware. */
export interface ServedOptions {
  /** Answers which firmware a device may have. */
  readonly manager: Pick<FirmwareManager, "get" | "getAnnounced">;
  /** Remembers what clients were told. */
  readonly announcements: Announcements;
}

/**
 * Finds the firmware that a request for bytes is for, and remembers it for the next one.
 *
 * Clients that name no version and no tag when they go on with a download, such as ESP-IDF, RAUC
 * and `curl -C -`, get the rest of what they have begun, as long as it can be had.
 *
 * @param c The request.
 * @param query Whose firmware, and which.
 * @param options What is asked.
 * @returns The firmware.
 * @throws {ServiceError} As the manager does.
 */
export async function servedFirmware(
  c: Context,
  query: Query,
  { manager, announcements }: ServedOptions,
): Promise<Firmware> {
  const key = keyOf(query);
  const told = announcements.recall(c, key);
  const name = (isContinuation(c) ? announcements.recallBegun(c, key) : undefined) ?? told;
  let firmware;
  try {
    firmware = name === undefined
      ? await manager.get(query)
      : await manager.getAnnounced(query, name);
  } catch (error) {
    if (isServiceError(error, "firmware-gone")) announcements.forget(c, key);
    throw error;
  }
  if (c.req.method === "GET") announcements.begin(c, key, firmware);
  // A HEAD shows size and tag, which the requests after it rely on. What was told before is not
  // told anew: who asks again and again would never hear of anything newer.
  else if (told === undefined) announcements.remember(c, key, firmware);
  return firmware;
}

/**
 * Tells whether a request is for bytes behind the first one.
 *
 * @param c A request.
 * @returns Whether it is.
 */
export function isContinuation(c: Context): boolean {
  const range = c.req.header("range");
  return c.req.method === "GET" && range !== undefined && /^bytes=[ \t,]*(?!0+-)[\d-]/i.test(range);
}
