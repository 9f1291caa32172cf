/**
 * How devices are met: how many at once, by which certificate, with which credentials.
 *
 * @module
 */

import type { SettingValues } from "./settings.ts";
import { UsageError } from "./usage.ts";

/** How devices are met. */
export interface EdgeConfig {
  /** How many downloads run at once. */
  readonly maxDownloads: number;
  /** The files of certificate and key; without them devices are answered by http. */
  readonly tls: { readonly certPath: string; readonly keyPath: string } | undefined;
  /** The file of what devices have to know; without it, nothing. */
  readonly deviceTokenFile: string | undefined;
}

/**
 * Decides how devices are met. What the files hold is read where it is used, at the start and each
 * time that they change.
 *
 * @param values All settings.
 * @returns What is meant.
 * @throws {UsageError} For the first thing that is wrong.
 */
export function resolveEdge(values: SettingValues): EdgeConfig {
  const { maxDownloads, deviceTokenFile, tlsCertPath: certPath, tlsKeyPath: keyPath } = values;
  const edge = { maxDownloads, deviceTokenFile };
  if (certPath !== undefined && keyPath !== undefined) {
    return { ...edge, tls: { certPath, keyPath } };
  }
  if (certPath === undefined && keyPath === undefined) return { ...edge, tls: undefined };
  const [given, missing] = certPath === undefined
    ? ["--tls-key-path", "--tls-cert-path"]
    : ["--tls-cert-path", "--tls-key-path"];
  throw new UsageError(`${given} is of no use alone, want ${missing} as well`);
}
