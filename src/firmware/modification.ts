/**
 * When a device's firmware was changed.
 *
 * @module
 */

import { CREATED_ANNOTATION } from "../oci.ts";
import type { Firmware } from "./firmware.ts";

/** RFC 3339, 5.6, as far as `Date` reads it. */
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i;

/**
 * The date of a firmware that has just been found: when its author says that it was made, or else
 * now. It is now, too, where the author's date lies ahead, or is not behind that of the firmware
 * before: whoever asks for what has changed since then must hear of a step back, and of the second
 * of two builds that claim the same date, as reproducible ones do.
 *
 * @param annotations What the author says.
 * @param options What the device was served before, and the time of day.
 * @returns A date in whole seconds, as HTTP knows them.
 */
export function modificationDate(
  annotations: Readonly<Record<string, string>>,
  { known, today }: { readonly known: Firmware | undefined; readonly today: Date },
): Date {
  const created = annotations[CREATED_ANNOTATION] ?? "";
  const createdMs = TIMESTAMP.test(created) ? wholeSecond(Date.parse(created)) : NaN;
  const beforeMs = known?.modifiedAt.getTime() ?? -Infinity;
  const todayMs = wholeSecond(today.getTime());
  const isUsable = createdMs > beforeMs && createdMs <= todayMs;
  // Two changes within one second still have two dates.
  return new Date(isUsable ? createdMs : Math.max(todayMs, beforeMs + 1000));
}

function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
