/**
 * RAUC: reads a bundle in ranges, and polls by `If-None-Match`. The plain resource is all it needs.
 *
 * @see https://rauc.readthedocs.io/en/latest/advanced.html#http-streaming
 * @module
 */

import type { Dialect } from "./dialect.ts";

/** Says what it runs in a header, where `send-headers` of its configuration lists it. */
export const RAUC: Dialect = {
  runningVersion: (c) => c.req.header("rauc-system-version"),
};
