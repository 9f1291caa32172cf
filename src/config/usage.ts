/**
 * What is wrong with how the program was called, and how it is said.
 *
 * @module
 */

import { describeReadError } from "../files.ts";
import { secretIn } from "../password_file.ts";

/** What is wrong with how the program was called, in one line for whoever called it. */
export class UsageError extends Error {
  /** Always `UsageError`. */
  override readonly name = "UsageError";
}

/** Access to files, handed in. */
export interface FileAccess {
  /** Reads a text file, or throws. */
  readonly readTextFile: (path: string) => string;
  /** Tells whether there is a folder. */
  readonly isDirectory: (path: string) => boolean;
  /** The names of all in a folder, or throws. */
  readonly listDirectory: (path: string) => readonly string[];
}

/**
 * Reads a file that a flag names.
 *
 * @param flag The flag.
 * @param path What it names.
 * @param files Access to it.
 * @returns The text.
 * @throws {UsageError} It cannot be read.
 */
export function readFile(
  flag: string,
  path: string,
  { readTextFile }: Pick<FileAccess, "readTextFile">,
): string {
  try {
    return readTextFile(path);
  } catch (error) {
    const reason = describeReadError(error);
    throw new UsageError(`${flag}: cannot read ${JSON.stringify(path)}: ${reason}`);
  }
}

/**
 * Reads a secret out of a file that a flag names.
 *
 * @param flag The flag.
 * @param path What it names.
 * @param files Access to it.
 * @returns The secret; perhaps empty.
 * @throws {UsageError} It cannot be read.
 */
export function readSecret(
  flag: string,
  path: string,
  files: Pick<FileAccess, "readTextFile">,
): string {
  return secretIn(readFile(flag, path, files));
}

/**
 * Reads a password out of a file that a flag names.
 *
 * @param flag The flag.
 * @param path What it names.
 * @param files Access to it.
 * @returns The password.
 * @throws {UsageError} It cannot be read, or holds none.
 */
export function readPassword(
  flag: string,
  path: string,
  files: Pick<FileAccess, "readTextFile">,
): string {
  const password = readSecret(flag, path, files);
  if (password !== "") return password;
  throw new UsageError(`${flag}: ${JSON.stringify(path)} is empty, want the password in it`);
}

/**
 * Lists a folder that a flag names.
 *
 * @param path The folder.
 * @param files Access to it.
 * @returns The names of all in it, in no order; undefined where it cannot be read.
 */
export function listFolder(
  path: string,
  { listDirectory }: Pick<FileAccess, "listDirectory">,
): readonly string[] | undefined {
  try {
    return listDirectory(path);
  } catch {
    return undefined;
  }
}

/**
 * Says that a value is not what is wanted. What may be a password in it is left out.
 *
 * @param name The flag or variable.
 * @param value What was given.
 * @param takes What is wanted, to follow "it takes".
 * @returns The error, to be thrown.
 */
export function invalid(name: string, value: string, takes: string): UsageError {
  // What stands before "@" in an address may be a password, which may hold "/" and "@" itself.
  // So may be what follows "?".
  const shown = JSON.stringify(
    value.replace(/^([a-z]+:\/\/)?[^]*@/i, "$1…@").replace(/\?[^]*/, "?…")
      // Where a value was left out, the next flag is taken for it.
      .replace(/^(-[^=]*=)[^]*/, "$1…"),
  );
  return new UsageError(`${name}: ${shown} is not valid, it takes ${takes}`);
}

/**
 * Puts a message on one line.
 *
 * @param message Any text.
 * @returns It without line breaks.
 */
export function oneLine(message: string): string {
  return message.replaceAll(/\s*[\r\n\u2028\u2029]\s*/g, " ").trim();
}
