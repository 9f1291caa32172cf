/**
 * Who may send webhooks.
 *
 * @module
 */

import type { SettingValues } from "./settings.ts";
import { type FileAccess, invalid, readSecret } from "./usage.ts";

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
  const secret = readSecret("--webhook-secret-file", file, files);
  // What a header can hold: nothing else would ever be equal to one.
  if (/^[!-~](?:[ -~]*[!-~])?$/.test(secret)) return secret;
  throw invalid("--webhook-secret-file", file, "a file with a secret: one line of ASCII");
}
