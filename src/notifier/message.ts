/**
 * What devices are told, word for word.
 *
 * @module
 */

import * as v from "valibot";
import type { Digest } from "../digest.ts";

/** A firmware, as far as it is announced. */
export interface AnnouncedFirmware {
  /** The version as devices see it, without `v`. */
  readonly version: string;
  /** Digest of the manifest (or index) that the tag pointed to. */
  readonly digest: Digest;
  /** Length in bytes. */
  readonly size: number;
  /** CRC-32 of the bytes as zlib's `crc32` (IEEE 802.3), unsigned. */
  readonly crc32: number;
  /** SHA-256 of the bytes, in hex. */
  readonly sha256: string;
}

/** What tells one announcement from another; the Rust OtaFlux sends no digest. */
export interface AnnouncedName {
  /** The version. */
  readonly version: string;
  /** The digest, where it was said. */
  readonly digest?: string | undefined;
}

/** A message is a few hundred bytes; what is longer is none of ours. */
const MESSAGE_LIMIT_BYTES = 4096;

const nameSchema = v.object({ version: v.string(), digest: v.optional(v.string()) });

/**
 * Writes a message: version and size first, as the Rust OtaFlux sends them.
 *
 * @param device Whose.
 * @param firmware What is announced.
 * @param publicUrl Where devices reach the service, without a slash at the end.
 * @returns JSON.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const firmware = { version: "1.0.0", size: 3, crc32: 7, sha256: "ab", digest: "sha256:cd" } as const;
 * assert.equal(
 *   formatMessage("a/b", firmware, "https://ota.example"),
 *   '{"version":"1.0.0","size":3,"crc32":7,"sha256":"ab","digest":"sha256:cd",' +
 *     '"url":"https://ota.example/firmware?device=a%2Fb"}',
 * );
 * ```
 */
export function formatMessage(
  device: string,
  firmware: AnnouncedFirmware,
  publicUrl?: string,
): string {
  const { version, size, crc32, sha256, digest } = firmware;
  const url = publicUrl && `${publicUrl}/firmware?device=${encodeURIComponent(device)}`;
  return JSON.stringify({ version, size, crc32, sha256, digest, ...(url && { url }) });
}

/**
 * Reads which firmware a message announces.
 *
 * @param payload What the broker delivered, from whomever.
 * @returns Its name; undefined where it is no such message.
 */
export function parseMessage(payload: Uint8Array): AnnouncedName | undefined {
  if (payload.length > MESSAGE_LIMIT_BYTES) return undefined;
  try {
    const parsed = v.safeParse(nameSchema, JSON.parse(new TextDecoder().decode(payload)));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Tells whether two announcements are of the same firmware.
 *
 * @param one An announcement, if any.
 * @param other Another, if any.
 * @returns Whether there are both, with the same version and digest.
 */
export function isSame(one: AnnouncedName | undefined, other: AnnouncedName | undefined): boolean {
  return one !== undefined && other !== undefined &&
    one.version === other.version && one.digest === other.digest;
}
