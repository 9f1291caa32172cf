/**
 * Which of a repository's tags is the newest version.
 *
 * @see https://semver.org/spec/v2.0.0.html
 * @module
 */

import { compareBuild } from "semver";
import { type ParsedVersion, parseVersion } from "../selection.ts";

/** A tag that names a version. */
export interface VersionTag {
  /** The tag as the registry has it, such as `v1.2.0_build.7`. */
  readonly tag: string;
  /** The version as devices see it, such as `1.2.0+build.7`. */
  readonly version: string;
}

type ParsedTag = VersionTag & ParsedVersion;

/**
 * The tags that are semantic versions, the newest first.
 *
 * A leading `v` is accepted. A tag cannot hold `+`, so its first `_` stands for it (as in Helm).
 * Everything else, such as `latest`, is left out. Pre-releases count, by the specification's
 * precedence. Where precedence says nothing, the choice is still the same each time: a version
 * without build metadata goes before one with (devices in the field cannot read `+`), then the
 * higher build, then the tag without `v`.
 *
 * @param tags Tags in any order.
 * @returns The versions among them, best first.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const ranked = rankVersions(["latest", "v1.10.0", "1.9.0", "1.10.0-rc.1"]);
 * assert.deepEqual(ranked.map(({ version }) => version), ["1.10.0", "1.10.0-rc.1", "1.9.0"]);
 * ```
 */
export function rankVersions(tags: readonly string[]): VersionTag[] {
  return tags
    .map(parseTag)
    .filter((parsed) => parsed !== undefined)
    .sort(compareNewestFirst)
    .map(({ tag, version }) => ({ tag, version }));
}

function parseTag(tag: string): ParsedTag | undefined {
  const parsed = parseVersion(tag);
  return parsed && { tag, ...parsed };
}

function compareNewestFirst(a: ParsedTag, b: ParsedTag): number {
  return b.semver.compare(a.semver) ||
    Number(a.semver.build.length > 0) - Number(b.semver.build.length > 0) ||
    compareBuild(b.semver, a.semver) ||
    Number(a.tag.startsWith("v")) - Number(b.tag.startsWith("v")) ||
    // Only reached by numbers too large to compare, such as a date with microseconds.
    (a.tag < b.tag ? 1 : -1);
}
