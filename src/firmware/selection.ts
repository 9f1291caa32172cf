/**
 * Which versions are meant by what a device asks for.
 *
 * @module
 */

import { Range } from "semver";
import { ServiceError } from "../errors.ts";
import { parseVersion, type Query, type Selection } from "../selection.ts";
import type { VersionTag } from "./version.ts";

/**
 * The versions that a selection allows; all that it says must hold.
 *
 * A constraint takes pre-releases as node-semver does: only where it names one of the same version
 * itself, so `^1.2` does not mean `1.3.0-rc.1`. Whoever says that pre-releases count, or names a
 * channel, means those within the range, too.
 *
 * @param ranked Versions.
 * @param selection What is asked for.
 * @returns Those that match, in the same order.
 * @see https://github.com/npm/node-semver/blob/v7.7.3/README.md#prerelease-tags
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const ranked = ["2.0.0", "1.3.0-rc.1", "1.2.0"].map((tag) => ({ tag, version: tag }));
 * const [release, ...others] = chooseVersions(ranked, { constraint: "^1.2" });
 * assert.deepEqual([release?.tag, others], ["1.2.0", []]);
 * assert.equal(chooseVersions(ranked, { constraint: "^1.2", prerelease: true })[0]?.tag, "1.3.0-rc.1");
 * assert.equal(chooseVersions(ranked, { channel: "beta" })[0]?.tag, "2.0.0");
 * ```
 */
export function chooseVersions(
  ranked: readonly VersionTag[],
  { version, constraint, prerelease, channel }: Selection,
): readonly VersionTag[] {
  if ((version ?? constraint ?? prerelease ?? channel) === undefined) return ranked;
  const includePrerelease = prerelease === true || channel !== undefined;
  const range = constraint === undefined ? undefined : new Range(constraint, { includePrerelease });
  return ranked.filter((candidate) => {
    const semver = parseVersion(candidate.version)?.semver;
    if (semver === undefined) return false;
    const [identifier] = semver.prerelease;
    const isRelease = identifier === undefined;
    return (version === undefined || candidate.version === version) &&
      (isRelease || prerelease !== false) &&
      (isRelease || channel === undefined || String(identifier) === channel) &&
      (range === undefined || range.test(semver));
  });
}

/**
 * Says that there is nothing of the kind that was asked for.
 *
 * @param query Who asked, and for what.
 * @param cause What there is instead.
 * @returns `selection-unmatched`, in a sentence for people.
 */
export function unmatched({ device, selection }: Query, cause: unknown): ServiceError {
  const asked = Object.entries(selection).filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} '${value}'`);
  const message = `No firmware for device '${device}' matches ${asked.join(" and ")}`;
  return new ServiceError("selection-unmatched", message, { cause });
}
