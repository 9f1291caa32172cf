/**
 * Mongoose OS: its `ota-http-client` polls an address, and is told by 304 that there is nothing new.
 *
 * @see https://github.com/mongoose-os-libs/ota-http-client
 * @module
 */

import type { Context } from "hono";
import { type Dialect, upToDate } from "./dialect.ts";

/** Says platform, version and build in one header, and asks without conditions. */
export const MONGOOSE: Dialect = {
  runningVersion,
  reply: (c, firmware) =>
    runningVersion(c) === firmware.version ? upToDate(c, firmware) : undefined,
};

function runningVersion(c: Context): string | undefined {
  const [, version] = c.req.header("x-mgos-fw-version")?.split(" ") ?? [];
  return version;
}
