/**
 * Which versions of a device get a series of their own.
 *
 * @module
 */

import { parse } from "semver";

/** So many versions a device; a fleet runs a few, and strangers may say anything. */
const VERSIONS_LIMIT = 20;

/** What stands for all other versions, and for what is none. */
const OTHER = "other";

/** Gives labels, a bounded number of them for each device. */
export class VersionLabels {
  readonly #versions = new Map<string, Set<string>>();

  /**
   * The label for a version that a device says it runs.
   *
   * The version that the device is offered always has one: the first to go for it is the one that
   * was first seen, so that after years of releases the graph shows the present ones still.
   *
   * @param device A device that exists.
   * @param versions What it says, any text, and what it is offered.
   * @returns The label; and the one that has to go, if one has.
   */
  label(
    device: string,
    { running, offered }: { readonly running: string; readonly offered: string },
  ): { readonly label: string; readonly dropped?: string } {
    const version = versionOf(running);
    if (version === undefined) return { label: OTHER };
    const versions = this.#versions.get(device) ?? new Set();
    this.#versions.set(device, versions);
    if (versions.has(version)) return { label: version };
    const isFull = versions.size >= VERSIONS_LIMIT;
    if (isFull && version !== versionOf(offered)) return { label: OTHER };
    const [dropped] = isFull ? versions : [];
    if (dropped !== undefined) versions.delete(dropped);
    versions.add(version);
    return dropped === undefined ? { label: version } : { label: version, dropped };
  }
}

/** In one way of writing it, so that `v1.2.0` and `1.2.0` are one. */
function versionOf(text: string): string | undefined {
  const semver = parse(text);
  if (semver === null) return undefined;
  return semver.version + (semver.build.length > 0 ? `+${semver.build.join(".")}` : "");
}
