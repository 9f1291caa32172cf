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

/** No head is as long, in bytes: ESPHome's buffer takes 512, and devices read the head at once. */
const HEAD_LIMIT = 480;

/**
 * What else stands in a head, in bytes: the status line of a 206 (30), the date (37), the word on
 * the connection that HTTP/1.0 wants (24), `vary: Origin` (14), and the empty line (2).
 */
const HEAD_REST = 107;

/** Headers by their names in lower case. */
export type HeaderFields = Readonly<Record<string, string>>;

/**
 * What tells a firmware from another at the same address.
 *
 * @param firmware What would be answered.
 * @returns Its entity tag, of the bytes' SHA-256, and its date.
 */
export function validatorsOf({ sha256, modifiedAt }: Firmware): Validators {
  return { etag: strongTag(sha256), lastModified: modifiedAt };
}

/**
 * The head of an answer with a firmware, or a part of it. Where not all fits a device's buffer, the
 * last ones are left out: what they say can be had at `/version.json`, too.
 *
 * @param required What the answer cannot do without.
 * @param optional More, the most important first; undefined is left out.
 * @returns Headers, together within the limit, unless what is required is longer.
 */
export function fitHead(
  required: HeaderFields,
  optional: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const fields: Record<string, string> = { ...required };
  let length = HEAD_REST +
    Object.entries(required).reduce((sum, field) => sum + lineLength(field), 0);
  for (const [name, value] of Object.entries(optional)) {
    if (value === undefined || length + lineLength([name, value]) >= HEAD_LIMIT) continue;
    length += lineLength([name, value]);
    fields[name] = value;
  }
  return fields;
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
  const isPast = firmware.modifiedAt.getTime() <= Date.now();
  return {
    "last-modified": isPast ? formatHttpDate(firmware.modifiedAt) : undefined,
    "x-firmware-version": firmware.version,
    "x-firmware-crc32": String(firmware.crc32),
  };
}

/** With its colon, space and line break. */
function lineLength([name, value]: readonly [string, string]): number {
  return name.length + value.length + 4;
}
