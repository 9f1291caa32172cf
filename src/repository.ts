/**
 * Names of repositories, and which device ids there can be: a device id is the end of such a name.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
 * @module
 */

import { ServiceError } from "./errors.ts";

/** Many registries and clients take no longer repository name (distribution-spec, pulling). */
export const REPOSITORY_NAME_MAX_LENGTH = 255;

/** How much of a wrong id an error repeats: it must fit a device's small buffer. */
const QUOTED_ID_MAX_LENGTH = 64;

const REPOSITORY_NAME =
  /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;

/**
 * Tells whether a text is a repository name of the distribution-spec's grammar.
 *
 * @param text Any text.
 * @returns Whether it is one, and not too long.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.ok(isRepositoryName("factory/esp32-c3"));
 * assert.ok(!isRepositoryName("../etc"));
 * assert.ok(!isRepositoryName("ESP32"));
 * ```
 */
export function isRepositoryName(text: string): boolean {
  // The length first: it bounds what the expression has to look at.
  return text.length <= REPOSITORY_NAME_MAX_LENGTH && REPOSITORY_NAME.test(text);
}

/**
 * The repository of a device.
 *
 * @param device A device id, as it was asked for.
 * @param prefix What precedes it, without the slash at the end; empty for none.
 * @returns A repository name of the distribution-spec's grammar.
 * @throws {ServiceError} `device-invalid` where the two make none.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(repositoryOf("esp32", "factory"), "factory/esp32");
 * assert.equal(repositoryOf("esp32", ""), "esp32");
 * ```
 */
export function repositoryOf(device: string, prefix: string): string {
  const repository = prefix === "" ? device : `${prefix}/${device}`;
  if (isRepositoryName(device) && isRepositoryName(repository)) return repository;
  const quoted = JSON.stringify(device.slice(0, QUOTED_ID_MAX_LENGTH));
  throw new ServiceError(
    "device-invalid",
    device.length > QUOTED_ID_MAX_LENGTH && isRepositoryName(device.slice(0, QUOTED_ID_MAX_LENGTH))
      ? `Device id ${quoted}... is too long, or ends in what a repository name cannot hold`
      : `Device id ${quoted} is no repository name: ` +
        `want lower-case letters and digits, parted by . _ - or /`,
  );
}

/**
 * The device of a repository: {@linkcode repositoryOf} backwards.
 *
 * @param repository A repository's full name, as somebody else says it.
 * @param prefix What precedes a device id, without the slash at the end; empty for none.
 * @returns The device id; undefined where the repository is none of a device's.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(deviceOf("factory/garden/pump", "factory"), "garden/pump");
 * assert.equal(deviceOf("office/pump", "factory"), undefined);
 * ```
 */
export function deviceOf(repository: string, prefix: string): string | undefined {
  const start = prefix === "" ? "" : `${prefix}/`;
  if (!repository.startsWith(start) || !isRepositoryName(repository)) return undefined;
  return repository.slice(start.length);
}
