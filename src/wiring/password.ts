/**
 * Passwords that may change while the service runs.
 *
 * @module
 */

import { PasswordFile } from "../password_file.ts";

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
