/**
 * Who may send webhooks.
 *
 * @module
 */

import type { SettingValues } from "./settings.ts";
import { type FileAccess, invalid, readFile } from "./usage.ts";

/**
 * Reads the secret of webhooks.
 *
 * @param values All settings.
 * @param files Access to files.
 * @returns The secret; undefined where webhooks are open to everybody.
 * @throws {UsageError} The file cannot be read, or holds none.
 */
export function resolveWebhookSecret(
  { webhookSecretFile: file }: SettingValues,
  files: Pick<FileAccess, "readTextFile">,
): string | undefined {
  if (file === undefined) return undefined;
  // Editors and `echo` end a file with a line break that is not meant.
  const secret = readFile("--webhook-secret-file", file, files).replace(/\r?\n$/, "");
  // What a header can hold: nothing else would ever be equal to one.
  if (/^[!-~](?:[ -~]*[!-~])?$/.test(secret)) return secret;
  throw invalid("--webhook-secret-file", file, "a file with a secret: one line of ASCII");
}
