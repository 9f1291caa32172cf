/**
 * How devices differ: what each of a thousand does when it asks for firmware.
 *
 * @module
 */

import type { Chance } from "./chance.ts";

/** What a device does, as long as it lives. */
export interface Habits {
  /** Whether it keeps its connection from one poll to the next, or opens one for each request. */
  readonly keepsConnection: boolean;
  /** Whether a proxy in front names its address. */
  readonly isBehindProxy: boolean;
  /** Which form of the version it reads. */
  readonly form: "text" | "json";
  /** Whether it names the version that it was told of. */
  readonly namesVersion: boolean;
  /** Whether it asks for the firmware at once, with the tag of what it has, and for no version. */
  readonly isConditional: boolean;
  /** How it goes on with what was cut off: by `If-Range`, by a bare range, or from the beginning. */
  readonly resumes: "if-range" | "range" | "never";
  /** How long at most it takes from the version to the download, in milliseconds. */
  readonly dawdlesMs: number;
  /** How often its own network cuts a download off, from 0 to 1. */
  readonly cuts: number;
  /** Bytes a second that it takes; as fast as it can without. */
  readonly bytesPerSecond: number | undefined;
}

/**
 * Draws the habits of a device.
 *
 * @param settings.isAlone Whether no other device has its id.
 * @param settings.pollMs How long it waits between two polls.
 * @param settings.slowestBytesPerSecond How slow slow devices are; others of them are a bit faster.
 */
export function drawHabits(
  chance: Chance,
  { isAlone, pollMs, slowestBytesPerSecond }: {
    readonly isAlone: boolean;
    readonly pollMs: number;
    readonly slowestBytesPerSecond: number;
  },
): Habits {
  const kind = chance.weighted({ plain: 30, conditional: 15, resuming: 25, pinned: 15, slow: 15 });
  const keepsConnection = chance.is(0.5);
  const drawn = chance.pick(["if-range", "range"] as const);
  const resumes = kind === "resuming" || kind === "pinned" ? drawn : "never";
  return {
    keepsConnection,
    // Devices of one id and one address are told apart by their connections only.
    isBehindProxy: !isAlone && (!keepsConnection || resumes !== "never" || chance.is(0.5)),
    form: chance.is(0.3) ? "json" : "text",
    namesVersion: kind === "pinned",
    isConditional: kind === "conditional",
    resumes,
    dawdlesMs: chance.is(0.4) ? pollMs : 0,
    cuts: kind === "resuming" ? 0.6 : 0.15,
    bytesPerSecond: kind === "slow" ? slowestBytesPerSecond * chance.between(1, 5) : undefined,
  };
}
