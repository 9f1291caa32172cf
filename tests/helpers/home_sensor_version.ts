/**
 * How `esp32-home-sensor` reads and orders versions: nearly, but not quite, as semver.org does.
 *
 * @module
 * @see https://github.com/etiennetremel/esp32-home-sensor/blob/77ea941/src/semver.rs
 */

/** A version as the sensor understands it. */
export interface SensorVersion {
  /** Major, minor and patch. */
  readonly core: readonly number[];
  /** Rank of the pre-release word and the number behind it; `undefined` for a release. */
  readonly preRelease: { readonly rank: number; readonly number: number } | undefined;
}

/** In rising order; every other word ranks behind these, and all others are alike. */
const PRE_RELEASE_WORDS = ["alpha", "beta", "rc"];
/** The number of a pre-release that has none: below zero, the least that can be written. */
const NO_NUMBER = -1;

/**
 * Reads a version; `undefined` of a text that the sensor cannot read, such as one with build
 * metadata in a release (`1.2.3+4`).
 */
export function parseSensorVersion(text: string): SensorVersion | undefined {
  const bare = text.trim().replace(/^v/i, "");
  const dash = bare.indexOf("-");
  const core = (dash < 0 ? bare : bare.slice(0, dash)).split(".").map(parseUnsigned);
  if (core.length !== 3 || !core.every((part) => part !== undefined)) return undefined;
  return { core, preRelease: dash < 0 ? undefined : parsePreRelease(bare.slice(dash + 1)) };
}

/** Tells whether the sensor would go from `current` to `remote`. */
export function isNewerForSensor(remote: SensorVersion, current: SensorVersion): boolean {
  const [ours, theirs] = [sortKey(remote), sortKey(current)];
  const at = ours.findIndex((part, at) => part !== theirs[at]);
  return at >= 0 && (ours[at] ?? 0) > (theirs[at] ?? 0);
}

/**
 * Reads an unsigned 32-bit number as Rust's `str::parse` does, which takes a plus sign; `undefined`
 * of anything else.
 */
export function parseUnsigned(text: string): number | undefined {
  const value = Number(text);
  return /^\+?[0-9]+$/.test(text) && value < 2 ** 32 ? value : undefined;
}

function parsePreRelease(text: string): SensorVersion["preRelease"] {
  const lower = text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  const known = PRE_RELEASE_WORDS.findIndex((word) => lower.startsWith(word));
  const rest = lower.slice(PRE_RELEASE_WORDS[known]?.length ?? 0);
  return {
    rank: known < 0 ? PRE_RELEASE_WORDS.length : known,
    number: parseUnsigned(rest.replace(/^\.+/, "")) ?? NO_NUMBER,
  };
}

function sortKey({ core, preRelease }: SensorVersion): readonly number[] {
  return [...core, preRelease?.rank ?? Infinity, preRelease?.number ?? 0];
}
