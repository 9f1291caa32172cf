/**
 * When a device's firmware was changed.
 *
 * @module
 */

import { CREATED_ANNOTATION } from "../oci.ts";
import type { Firmware } from "./firmware.ts";

/** RFC 3339, 5.6, as far as `Date` reads it. */
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i;

/** Authors may say a date since 2017; builds that are to be the same each time say one before. */
const EARLIEST_CREATED_MS = Date.UTC(2017, 0, 1);

/** Before this program's first year no clock is right: it was not set yet. */
const EARLIEST_TODAY_MS = Date.UTC(2026, 0, 1);

/** Stands for a date that nobody knows. */
const UNDATED_MS = 0;

/**
 * The date of a firmware that has just been found: when its author says that it was made, or else
 * now. It is now, too, where the author's date lies ahead, or is not behind that of the firmware
 * before: whoever asks for what has changed since then must hear of a step back, and of the second
 * of two builds that claim the same date, as reproducible ones do. A clock that was not set yet is
 * not asked: what is found then has its author's date, or none that anything could be compared with.
 *
 * @param annotations What the author says.
 * @param options What the device was served before, and the time of day.
 * @returns A date in whole seconds, as HTTP knows them; 1970 where it is not known.
 */
export function modificationDate(
  annotations: Readonly<Record<string, string>>,
  { known, today }: { readonly known: Firmware | undefined; readonly today: Date },
): Date {
  const createdMs = createdMsOf(annotations);
  const beforeMs = known && isDated(known) ? known.modifiedAt.getTime() : -Infinity;
  const todayMs = wholeSecond(today.getTime());
  const isClockSet = todayMs >= EARLIEST_TODAY_MS;
  const isUsable = createdMs > beforeMs && (createdMs <= todayMs || !isClockSet);
  // Two changes within one second still have two dates.
  return new Date(
    isUsable ? createdMs : Math.max(isClockSet ? todayMs : UNDATED_MS, beforeMs + 1000),
  );
}

/** NaN where the author says none that tells anything. */
function createdMsOf(annotations: Readonly<Record<string, string>>): number {
  const created = annotations[CREATED_ANNOTATION] ?? "";
  const ms = TIMESTAMP.test(created) ? wholeSecond(Date.parse(created)) : NaN;
  return ms >= EARLIEST_CREATED_MS ? ms : NaN;
}

function isDated({ modifiedAt }: Firmware): boolean {
  return modifiedAt.getTime() !== UNDATED_MS;
}

function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
