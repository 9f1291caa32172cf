/**
 * Clients whose authors write the address themselves.
 *
 * @module
 */

import type { Dialect } from "./dialect.ts";

/** Says what it runs by `current=` in the query. */
export const PLAIN: Dialect = {
  runningVersion: (c) => c.req.query("current"),
};
