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
  /** Per device how often each version was said, with those that have no label in one number. */
  readonly #versions = new Map<string, { readonly named: Map<string, number>; others: number }>();

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
    const versions = this.#versions.get(device) ?? { named: new Map(), others: 0 };
    this.#versions.set(device, versions);
    const { named } = versions;
    const said = version === undefined ? undefined : named.get(version);
    const isFull = said === undefined && named.size >= VERSIONS_LIMIT;
    if (version === undefined || (isFull && version !== versionOf(offered))) {
      versions.others++;
      return { label: OTHER };
    }
    const [dropped] = isFull ? named.keys() : [];
    if (dropped !== undefined) named.delete(dropped);
    named.set(version, (said ?? 0) + 1);
    return dropped === undefined ? { label: version } : { label: version, dropped };
  }

  /**
   * How often each label was given to a device since it has it.
   *
   * @param device A device id.
   * @returns The most frequent first.
   */
  counted(device: string): { readonly version: string; readonly polls: number }[] {
    const { named = [], others = 0 } = this.#versions.get(device) ?? {};
    return [...named, ...others > 0 ? [[OTHER, others] as const] : []]
      .map(([version, polls]) => ({ version, polls }))
      .toSorted((a, b) => b.polls - a.polls);
  }
}

/** In one way of writing it, so that `v1.2.0` and `1.2.0` are one. */
function versionOf(text: string): string | undefined {
  const semver = parse(text);
  if (semver === null) return undefined;
  return semver.version + (semver.build.length > 0 ? `+${semver.build.join(".")}` : "");
}
