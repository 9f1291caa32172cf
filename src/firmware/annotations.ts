/**
 * What is kept of what authors say of their firmware.
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md
 * @module
 */

/** Shown to devices and people; ours may change how a firmware is offered. */
const KEPT =
  /^(org\.opencontainers\.image\.(title|version|revision|source|url|created|description)|dev\.otaflux\.[a-z.-]{1,40})$/;

/** So many are kept of one firmware: all of the first kind, and some of ours. */
const COUNT_LIMIT = 16;

/** So many characters are kept of each: a title is short, and a description is no manual. */
const LENGTH_LIMIT = 256;

/**
 * Chooses the annotations that are kept, since each firmware's are kept in memory.
 *
 * @param sources Annotations of several places; those of a later one go before.
 * @returns A bounded number of bounded texts.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const title = "org.opencontainers.image.title";
 * assert.deepEqual(keptAnnotations({ [title]: "a", b: "c" }, { [title]: "d" }), { [title]: "d" });
 * ```
 */
export function keptAnnotations(
  ...sources: readonly Readonly<Record<string, string>>[]
): Record<string, string> {
  const merged = sources.flatMap((annotations) => Object.entries(annotations));
  const kept = new Map(merged.filter(([key]) => KEPT.test(key)));
  return Object.fromEntries(
    // By characters, not by halves of them.
    [...kept].slice(0, COUNT_LIMIT).map((
      [key, value],
    ) => [key, [...value.slice(0, 2 * LENGTH_LIMIT)].slice(0, LENGTH_LIMIT).join("")]),
  );
}
