/**
 * Which versions devices say that they run.
 *
 * @module
 */

import { LRUCache } from "lru-cache";
import { valid } from "semver";

/** More devices are not remembered: a device that says it again is remembered again. */
const KNOWN_DEVICES = 10_000;

/**
 * How long one version stands, in milliseconds. A device id is often one for many devices, and while
 * they are updated one after the other they say one version and the other in turn.
 */
const STANDS_MS = 10_000;

interface Installed {
  readonly version: string;
  /** Whether somebody was told, and when. */
  readonly told?: { readonly version: string; readonly atMs: number } | undefined;
}

/** Remembers what each device said last, and when that is worth telling. */
export class InstalledVersions {
  readonly #now: () => number;
  readonly #installed = new LRUCache<string, Installed>({ max: KNOWN_DEVICES });

  /**
   * Knows nothing yet.
   *
   * @param now A steady clock in milliseconds.
   */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Notes what a device says.
   *
   * @param device A device id.
   * @param text Any text; only a semantic version counts.
   * @returns Whether it is to be told: then {@linkcode InstalledVersions.take} gives it.
   */
  note(device: string, text: string): boolean {
    const version = valid(text);
    if (version === null) return false;
    const told = this.#installed.get(device)?.told;
    this.#installed.set(device, { version, told });
    return told === undefined ||
      (told.version !== version && this.#now() - told.atMs >= STANDS_MS);
  }

  /**
   * Takes what a device said last, to tell it: it counts as told from now on.
   *
   * @param device A device id.
   * @returns The version; undefined where it said none.
   */
  take(device: string): string | undefined {
    const version = this.#installed.get(device)?.version;
    if (version === undefined) return undefined;
    this.#installed.set(device, { version, told: { version, atMs: this.#now() } });
    return version;
  }
}
