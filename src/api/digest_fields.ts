/**
 * Checksums in a field of their own, for whoever asks for them.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9530
 * @module
 */

import { Buffer } from "node:buffer";

/**
 * A member of the dictionary (RFC 8941, 3.2) whose value is a preference from 0 to 10. What else a
 * dictionary may hold is no preference.
 */
const PREFERENCE = /^([a-z*][a-z0-9_.*-]*)[ \t]*=[ \t]*(10|[0-9])[ \t]*(?:;.*)?$/;

/**
 * What is answered to a `Want-Repr-Digest` field. SHA-256 is the one algorithm: it is known of each
 * firmware, and of what else is known the registry of algorithms advises against.
 *
 * @param field The field's value, where there is one.
 * @param sha256 The whole firmware's, in hex.
 * @returns The value of `Repr-Digest`; undefined where none is wanted that is known.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(reprDigest("sha-512=3, sha-256=10", "00ff"), "sha-256=:AP8=:");
 * assert.equal(reprDigest("sha-256=0", "00ff"), undefined);
 * ```
 */
export function reprDigest(field: string | null, sha256: string): string | undefined {
  const isWanted = field?.split(",").some((member) => {
    const [, algorithm, preference] = PREFERENCE.exec(member.trim()) ?? [];
    return algorithm === "sha-256" && preference !== "0";
  });
  return isWanted ? `sha-256=:${Buffer.from(sha256, "hex").toString("base64")}:` : undefined;
}
