/**
 * Every kind of client that asks `/firmware`.
 *
 * @module
 */

import type { Context } from "hono";
import type { Firmware } from "../../firmware/firmware.ts";
import type { HeaderFields } from "../head.ts";
import { ARDUINO } from "./arduino.ts";
import type { Dialect } from "./dialect.ts";
import { MONGOOSE } from "./mongoose.ts";
import { PLAIN } from "./plain.ts";
import { RAUC } from "./rauc.ts";

/** The first one that has something to say is heard. */
const DIALECTS: readonly Dialect[] = [PLAIN, ARDUINO, MONGOOSE, RAUC];

/**
 * The version that a client says it runs, in whichever way.
 *
 * @param c A request.
 * @returns What it says, not checked; undefined where it says nothing.
 */
export function runningVersion(c: Context): string | undefined {
  return firstOf(({ runningVersion }) => runningVersion(c));
}

/**
 * The answer to a client that wants it in a form of its own.
 *
 * @param c A request for bytes.
 * @param firmware What it would be served.
 * @returns The answer; undefined where the plain resource is the answer.
 */
export function replyInDialect(c: Context, firmware: Firmware): Response | undefined {
  return firstOf(({ reply }) => reply?.(c, firmware));
}

/**
 * What a client wants to read in the head of the plain resource.
 *
 * @param c A request for bytes.
 * @param firmware What it is served.
 * @returns Headers.
 */
export function headersInDialect(c: Context, firmware: Firmware): HeaderFields {
  return Object.assign({}, ...DIALECTS.map(({ headers }) => headers?.(c, firmware)));
}

function firstOf<T>(ask: (dialect: Dialect) => T | undefined): T | undefined {
  for (const dialect of DIALECTS) {
    const answer = ask(dialect);
    if (answer !== undefined) return answer;
  }
  return undefined;
}
