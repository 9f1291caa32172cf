/**
 * A configuration as the service reads it, in a world of the test's.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type Config, readConfig } from "../../src/config/config.ts";
import { UsageError } from "../../src/config/usage.ts";

/** What is there beside the arguments. */
export interface World {
  /** Variables. @default none */
  readonly env?: Readonly<Record<string, string>>;
  /** Texts of files; undefined for those that nobody may read. @default none */
  readonly files?: Readonly<Record<string, string | undefined>>;
  /** What folders hold; undefined for those that nobody may read. @default none */
  readonly folders?: Readonly<Record<string, readonly string[] | undefined>>;
}

/** What the service is to do, or the text that it prints instead. */
export function readIn(
  { env = {}, files = {}, folders = {} }: World,
  args: readonly string[],
): Config | string {
  const config = readConfig({
    args,
    env: (name) => env[name],
    version: "1.2.3",
    readTextFile: (path) => {
      if (!(path in files)) throw new Deno.errors.NotFound("No such file\n(os error 2)");
      const text = files[path];
      if (text === undefined) throw new Deno.errors.PermissionDenied("Permission denied");
      return text;
    },
    isDirectory: (path) => path in folders,
    listDirectory: (path) => {
      const names = folders[path];
      if (names === undefined) throw new Deno.errors.PermissionDenied("no");
      return names;
    },
  });
  if (typeof config === "string" || config.command === "serve") return config;
  assert.fail("No service is configured");
}

/** What the service is to do. */
export function configIn(world: World, args: readonly string[]): Config {
  const config = readIn(world, args);
  assert(typeof config !== "string");
  return config;
}

/** The message of a usage error, which is always one line without full stop. */
export function complaintIn(world: World, args: readonly string[]): string {
  try {
    readIn(world, args);
  } catch (error) {
    assert(error instanceof UsageError, `${error}`);
    assert.match(error.message, /^[^\n\r]+[^\n\r.]$/);
    return error.message;
  }
  assert.fail("nothing was wrong");
}
