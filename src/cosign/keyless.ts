/**
 * Who may sign by a certificate instead of a key.
 *
 * @module
 */

import type { CertifiedSigner, SigstoreVerifier } from "./sigstore.ts";
import { quote, Unacceptable } from "./unacceptable.ts";

/** Whose certificates count. */
export interface KeylessIdentity {
  /** Who must have told the identity to the authority, exactly. */
  readonly issuer: string;
  /** The identity: exactly this, or what an anchored expression matches. */
  readonly identity: string | RegExp;
}

/**
 * Verifies a bundle that was signed by a certificate.
 *
 * @param sigstore Verifies all but the identity.
 * @param wanted Whose certificates count.
 * @param bundle JSON, and the bytes that are signed where it is not a statement that is.
 * @returns Who has signed.
 * @throws {Unacceptable} It does not hold, or is of somebody else.
 */
export function verifyKeyless(
  sigstore: SigstoreVerifier,
  wanted: KeylessIdentity,
  { bundle, artifact }: { readonly bundle: unknown; readonly artifact: Uint8Array },
): CertifiedSigner {
  const signer = sigstore.verify(bundle, artifact);
  // Not by the library: it takes an identity for a pattern, and finds it anywhere in a name.
  const isWanted = signer.issuer === wanted.issuer &&
    (typeof wanted.identity === "string"
      ? signer.identity === wanted.identity
      : wanted.identity.test(signer.identity));
  if (isWanted) return signer;
  throw new Unacceptable(`a signature by ${quote(signer.identity)} of ${quote(signer.issuer)}`);
}
