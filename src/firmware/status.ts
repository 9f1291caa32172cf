/**
 * How things stand, for whoever looks: per device, and with the source.
 *
 * @module
 */

import { describeError, type ErrorCode, isServiceError } from "../errors.ts";
import { deviceOfKey } from "../selection.ts";
import type { CacheEntry } from "./cache.ts";
import type { Firmware } from "./firmware.ts";
import type { Refused } from "./refusals.ts";

/** What fails, as far as it can be told. All times are in milliseconds from now. */
export interface Failure {
  /** What callers act on; `unexpected` is an error of ours. */
  readonly code: ErrorCode | "unexpected";
  /** The error and what led to it, in one line as for the log: never a secret. */
  readonly reason: string;
  /** How long ago it was noticed. */
  readonly agoMs: number;
  /** When it may be tried again; 0 for now. */
  readonly retryInMs: number;
}

/** How things stand with a device. */
export interface DeviceStatus {
  /** Its id. */
  readonly device: string;
  /** What it is served; undefined where there is nothing to serve. */
  readonly firmware: Firmware | undefined;
  /** For how long its firmware has been this one, in milliseconds, as far as it can be told. */
  readonly servedForMs: number | undefined;
  /** How long ago the source said that it is the newest, in milliseconds. */
  readonly confirmedAgoMs: number | undefined;
  /** What hindered the last check; undefined where nothing did. */
  readonly failure: Failure | undefined;
  /** What its firmware's signature was found to be; undefined where none is asked for. */
  readonly signature?: "valid" | undefined;
}

/** How things stand with all of it. */
export interface FirmwareStatus {
  /** How the source fails; undefined while it answers. */
  readonly silence: Failure | undefined;
  /** How many devices have a place in memory, of how many. */
  readonly places: { readonly taken: number; readonly limit: number };
  /** How many devices are checked in the background. */
  readonly tracked: number;
  /** How often firmware was fetched again that the store had let go of, and when last. */
  readonly fetchedAgain: { readonly count: number; readonly lastAgoMs: number | undefined };
  /** Devices in memory, and those with a failure in place of firmware; in no order, each once. */
  readonly devices: Iterable<DeviceStatus>;
}

/**
 * Tells what fails.
 *
 * @param error What was thrown.
 * @param times When it was, and when it may be tried again, from now in milliseconds.
 * @returns The failure.
 */
export function failureOf(
  error: unknown,
  { agoMs, retryInMs }: Pick<Failure, "agoMs" | "retryInMs">,
): Failure {
  return {
    code: isServiceError(error) ? error.code : "unexpected",
    reason: describeError(error),
    agoMs,
    retryInMs: Math.max(0, retryInMs),
  };
}

/** What {@linkcode deviceStatuses} reads. */
export interface KnownDevices {
  /** Devices with firmware: what they asked for last is the last of their entries. */
  readonly cached: Iterable<readonly [device: string, entries: Iterable<CacheEntry>]>;
  /** Queries whose first check failed. */
  readonly refused: Iterable<readonly [key: string, refused: Refused]>;
  /** Whether firmware is kept only where its signature is valid. */
  readonly areSigned: boolean;
  /** Now, by the clock of all of these. */
  readonly nowMs: number;
}

/**
 * Tells of one device after the other, and keeps none of it.
 *
 * @param known What is known of devices.
 * @returns Each device once.
 */
export function* deviceStatuses(
  { cached, refused, areSigned, nowMs }: KnownDevices,
): Generator<DeviceStatus> {
  const told = new Set<string>();
  for (const [device, entries] of cached) {
    const all = [...entries];
    const last = all.at(-1);
    if (last === undefined) continue;
    told.add(device);
    const { firmware, sinceMs, confirmedAtMs } = last;
    const failing = last.failure === undefined ? all.find(({ failure }) => failure) : last;
    yield {
      device,
      firmware,
      servedForMs: nowMs - sinceMs,
      confirmedAgoMs: nowMs - confirmedAtMs,
      failure: failing?.failure && failureOf(failing.failure.error, {
        agoMs: nowMs - failing.failure.atMs,
        retryInMs: failing.retryAtMs - nowMs,
      }),
      signature: areSigned ? "valid" : undefined,
    };
  }
  for (const [key, { error, atMs, untilMs }] of refused) {
    const device = deviceOfKey(key);
    // Its firmware may have been found by another way meanwhile, or for another selection.
    if (told.has(device)) continue;
    told.add(device);
    yield {
      device,
      firmware: undefined,
      servedForMs: undefined,
      confirmedAgoMs: undefined,
      failure: failureOf(error, { agoMs: nowMs - atMs, retryInMs: untilMs - nowMs }),
    };
  }
}
