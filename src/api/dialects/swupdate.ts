/**
 * SWUpdate's "general purpose HTTP server": whether there is an update is told by the status, and
 * where it is by the address that the client is sent to.
 *
 * @see https://sbabic.github.io/swupdate/suricatta.html#support-for-general-purpose-http-server
 * @module
 */

import { Buffer } from "node:buffer";
import type { Context } from "hono";
import { isServiceError, ServiceError } from "../../errors.ts";
import type { Firmware } from "../../firmware/firmware.ts";
import type { Query } from "../../selection.ts";
import { answer, failure, isTemporary } from "../answers.ts";
import { firmwareUrl } from "../links.ts";

/**
 * Tells of an update.
 *
 * @param c The request.
 * @param offer Whose firmware is offered, and what the device says that it runs.
 * @returns 302 to the firmware, or 404 where the device runs it already.
 */
export function swupdateReply(
  c: Context,
  { query, firmware, running }: {
    readonly query: Query;
    readonly firmware: Firmware;
    readonly running: string | undefined;
  },
): Response {
  if (running === firmware.version) {
    return failure(c, { status: 404, body: `Firmware ${firmware.version} is there already` });
  }
  return answer(c, {
    status: 302,
    body: "",
    headers: {
      "location": firmwareUrl(query, firmware),
      "cache-control": "no-store",
      // RFC 1864: base64, unlike elsewhere.
      "content-md5": Buffer.from(firmware.md5, "hex").toString("base64"),
    },
  });
}

/**
 * The one status by which SWUpdate understands that it should come again later.
 *
 * @param error What went wrong.
 * @returns An error that is answered with 503, where a later request may succeed; else the same.
 */
export function swupdateError(error: unknown): unknown {
  if (!isServiceError(error) || !isTemporary(error.code)) return error;
  const { message, retryAfterSeconds } = error;
  return new ServiceError("firmware-unavailable", message, { cause: error, retryAfterSeconds });
}
