/**
 * What a request asks for, out of its query. Parameters that are not in the table are no concern of
 * ours: devices in the field send what they like.
 *
 * @module
 */

import type { Context } from "hono";
import { gt } from "semver";
import { ServiceError } from "../errors.ts";
import type { Firmware } from "../firmware/firmware.ts";
import {
  parseVersion,
  type Query,
  readChannel,
  readConstraint,
  readName,
  readPlatform,
  readVersion,
  type Selection,
} from "../selection.ts";
import { runningVersion } from "./dialects/table.ts";

/** A parameter of the query. */
interface Parameter<T> {
  /** What it takes, to follow "takes". */
  readonly takes: string;
  /** Reads a value; undefined where it is none. */
  readonly read: (text: string) => T | undefined;
}

const FLAG: Parameter<boolean> = {
  takes: "true or false",
  read: (text) => ["true", "false"].includes(text) ? text === "true" : undefined,
};

/** What stands behind the question mark, read once: values by names, in their order. */
export type QueryParameters = Readonly<Record<string, readonly string[]>>;

/** Every parameter that selects a firmware, by its name in the query. */
const PARAMETERS: { readonly [K in keyof Selection]-?: Parameter<Selection[K]> } = {
  version: { takes: "a semantic version such as 1.2.3", read: readVersion },
  constraint: { takes: "a range of versions such as ^1.2 or >=1 <2", read: readConstraint },
  prerelease: FLAG,
  channel: { takes: "an identifier of pre-releases such as beta", read: readChannel },
  variant: { takes: "a name of hardware, of 256 characters at most", read: readName },
  platform: { takes: "os/architecture, perhaps with /variant", read: readPlatform },
  file: { takes: "the title of a layer, of 256 characters at most", read: readName },
};

/** How much of a wrong value an error repeats: it must fit a device's small buffer. */
const QUOTED_LENGTH = 64;

/**
 * Reads what a request asks for.
 *
 * @param given All parameters of the request.
 * @param device Whose firmware it is about.
 * @returns The device and its selection, empty where the request says nothing of the kind.
 * @throws {ServiceError} `selection-invalid`
 */
export function queryOf(given: QueryParameters, device: string): Query {
  const selection: Record<string, unknown> = {};
  for (const [name, parameter] of Object.entries<Parameter<unknown>>(PARAMETERS)) {
    const values = given[name];
    if (values !== undefined) selection[name] = readParameter(name, values, parameter);
  }
  return { device, selection };
}

/**
 * Tells whether a request is answered with nothing: it wants newer firmware only, and there is none.
 * Build metadata makes no version newer than another (semver, 10).
 *
 * @param c The request.
 * @param firmware What it would be answered with.
 * @returns Whether it is.
 * @throws {ServiceError} `selection-invalid` where it does not say what is there already.
 */
export function hasNothingNewer(c: Context, { version }: Pick<Firmware, "version">): boolean {
  const values = c.req.queries("only-newer");
  if (values === undefined || readParameter("only-newer", values, FLAG) !== true) return false;
  const running = runningVersion(c);
  const current = running === undefined ? undefined : readVersion(running);
  if (current === undefined) {
    throw wrong("current", running, "a semantic version such as 1.2.3 where only-newer is true");
  }
  const offered = parseVersion(version);
  return offered === undefined || !gt(offered.semver, current);
}

function readParameter<T>(
  name: string,
  [text = "", ...others]: readonly string[],
  { takes, read }: Parameter<T>,
): T {
  if (others.length > 0) {
    throw new ServiceError(
      "selection-invalid",
      `Query parameter '${name}' is given more than once`,
    );
  }
  const value = read(text);
  if (value === undefined) throw wrong(name, text, takes);
  return value;
}

function wrong(name: string, text: string | undefined, takes: string): ServiceError {
  const given = text === undefined ? "is missing" : `is '${text.slice(0, QUOTED_LENGTH)}'`;
  return new ServiceError(
    "selection-invalid",
    `Query parameter '${name}' ${given}, it takes ${takes}`,
  );
}
