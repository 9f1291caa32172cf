/**
 * Where firmware comes from, and who says that it may be served.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { AcceptedVersions } from "../cosign/accepted.ts";
import { loadPolicy, UnusablePolicy } from "../cosign/load.ts";
import { CosignVerifier } from "../cosign/verifier.ts";
import { describeError } from "../errors.ts";
import type { FirmwareVerifier } from "../firmware/firmware.ts";
import { LayoutSource } from "../layout/source.ts";
import { passwordReader } from "../password_file.ts";
import { RegistryClient } from "../registry/client.ts";
import type { RequestObserver } from "../registry/measure.ts";
import { createTransport } from "../registry/transport.ts";
import { CannotStart } from "./cannot_start.ts";
import { ownFolder } from "./storage.ts";

/** Answers what is asked of firmware, and of signatures. */
export type Source = RegistryClient | LayoutSource;

/**
 * Makes the source, and asks it nothing.
 *
 * @param config Which.
 * @param options As whom it is asked, and who is told of requests.
 * @returns The source.
 */
export function createSource(
  { source, repositoryPrefix }: Pick<Config, "source" | "repositoryPrefix">,
  { version, observer }: { readonly version: string; readonly observer?: RequestObserver },
): Source {
  if (source.kind === "layout") {
    return new LayoutSource({ directory: source.directory, repositoryPrefix });
  }
  const { url, credentials, passwordFile, caCertificates, timeoutMs } = source;
  const fetch = createTransport({
    registry: url,
    credentials,
    readPassword: passwordReader(passwordFile, credentials),
    caCertificates,
    idleMs: timeoutMs,
    userAgent: `OtaFlux/${version}`,
    observer,
  });
  return new RegistryClient({ url, repositoryPrefix, fetch });
}

/**
 * What the source is called.
 *
 * @param source Which.
 * @returns Its address or its folder, for people; without credentials.
 */
export function sourceName(source: Config["source"]): string {
  return source.kind === "layout" ? source.directory : source.url.href.replace(/\/+$/, "");
}

/**
 * Makes what verifies signatures, where there are keys.
 *
 * @param config How firmware must be signed, and where it is noted what was accepted.
 * @param source Where signatures are.
 * @returns The verifier; without it everybody may release firmware who may push.
 * @throws {CannotStart} The policy cannot be used.
 */
export async function createVerifier(
  { cosign, cacheDirectory }: Pick<Config, "cosign"> & Partial<Pick<Config, "cacheDirectory">>,
  source: Source,
): Promise<FirmwareVerifier | undefined> {
  if (cosign === undefined) return undefined;
  try {
    const policy = await loadPolicy(cosign);
    const accepted = new AcceptedVersions(ownFolder(cacheDirectory, "accepted"));
    return new CosignVerifier({ source, policy, accepted });
  } catch (error) {
    throw new CannotStart(describeError(error), { isUsage: error instanceof UnusablePolicy });
  }
}
