/**
 * A password in a file, which may hold another one later: tokens of a cloud's registry hold for
 * hours, and secrets are rotated.
 *
 * @module
 */

import { describeReadError } from "./files.ts";
import { logger } from "./log.ts";

const log = logger("main");

/**
 * The secret in a file's text.
 *
 * @param text All that it holds.
 * @returns It but for a line break at its end, by which editors and `echo` end every file.
 */
export function secretIn(text: string): string {
  return text.replace(/\r?\n$/, "");
}

/** Reads the password anew each time that it is wanted. */
export class PasswordFile {
  readonly #path: string;
  #password: string;
  #isUsable = true;

  /**
   * Reads nothing yet.
   *
   * @param path The file.
   * @param password What it held at first.
   */
  constructor(path: string, password: string) {
    this.#path = path;
    this.#password = password;
  }

  /**
   * The password as it is now.
   *
   * @returns What the file holds. It never fails: where the file cannot be used, such as while
   * somebody writes it, the password before is returned, and the log hears of it once.
   */
  async read(): Promise<string> {
    try {
      // A pipe gave what it had at the start, and would be waited for without end.
      if (!(await Deno.stat(this.#path)).isFile) this.#complain("it is no file");
      else {
        const password = secretIn(await Deno.readTextFile(this.#path));
        if (password === "") this.#complain("it is empty");
        else this.#take(password);
      }
    } catch (error) {
      this.#complain(describeReadError(error));
    }
    return this.#password;
  }

  #take(password: string): void {
    this.#isUsable = true;
    if (password === this.#password) return;
    this.#password = password;
    log.info("Password was changed", { file: this.#path });
  }

  #complain(reason: string): void {
    if (this.#isUsable) {
      log.warn("Password cannot be read, the one before stays in use", {
        file: this.#path,
        reason,
      });
    }
    this.#isUsable = false;
  }
}

/**
 * Makes what gives a password as it is now.
 *
 * @param path The file that holds it; undefined where it came otherwise, and stays as it is.
 * @param credentials What was read at the start.
 * @returns It, where there is a file.
 */
export function passwordReader(
  path: string | undefined,
  credentials: { readonly password: string } | undefined,
): (() => Promise<string>) | undefined {
  if (path === undefined || credentials === undefined) return undefined;
  const file = new PasswordFile(path, credentials.password);
  return () => file.read();
}
