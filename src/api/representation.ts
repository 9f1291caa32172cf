/**
 * What is said of a firmware in the heads of answers.
 *
 * @module
 */

import type { Firmware } from "../firmware/firmware.ts";
import type { Validators } from "./conditional.ts";
import { strongTag } from "./entity_tag.ts";
import { formatHttpDate } from "./http_date.ts";

/** What firmware is, as far as HTTP knows. */
export const FIRMWARE_TYPE = "application/octet-stream";

/**
 * Whoever keeps an answer asks again before each use (RFC 9111, 5.2.2.4), and is told 304 for
 * nothing but a head: so a proxy carries the bytes, and which firmware a device gets is still
 * decided here. Any longer, and `/firmware` could give other bytes than `/version` has announced.
 */
export const CACHE_CONTROL = "no-cache";

/**
 * What tells a firmware from another at the same address.
 *
 * @param firmware What would be answered.
 * @returns Its entity tag, of the bytes' SHA-256, and its date, where that is known.
 */
export function validatorsOf({ sha256, modifiedAt }: Firmware): Validators {
  const isKnown = modifiedAt.getTime() !== 0;
  return { etag: strongTag(sha256), lastModified: isKnown ? modifiedAt : undefined };
}

/**
 * What is worth saying of a firmware beside its bytes, the most important first.
 *
 * @param firmware Which.
 * @returns Headers by their names.
 */
export function descriptionOf(
  firmware: Firmware,
): Readonly<Record<string, string | undefined>> {
  // The clock may have been set back; what lies ahead must not be said (RFC 9110, 8.8.2.1).
  const { lastModified } = validatorsOf(firmware);
  const isPast = lastModified !== undefined && lastModified.getTime() <= Date.now();
  return {
    "last-modified": isPast ? formatHttpDate(lastModified) : undefined,
    "x-firmware-version": firmware.version,
    "x-firmware-crc32": String(firmware.crc32),
  };
}
