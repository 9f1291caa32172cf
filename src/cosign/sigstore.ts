/**
 * Sigstore's own verifier, for signatures by a certificate. It asks no server.
 *
 * It comes with a mend: `crypto.verify()` without a hash fails on Deno for every ECDSA and RSA key,
 * where Node takes SHA-256, and the library calls it so for envelopes, log entries and checkpoints.
 * It then takes every valid signature for a false one. The mend is in the library's own object, and
 * nothing else sees it. Whether it still does what it should is tried at each start.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { type KeyObject, verify } from "node:crypto";
import { describeError } from "../errors.ts";
import { KNOWN_GOOD_BUNDLE, KNOWN_GOOD_ROOT } from "./known_good.ts";
import { Unacceptable } from "./unacceptable.ts";

/** Who has signed, as a certificate says that was valid at the time. */
export interface CertifiedSigner {
  /** Its subject alternative name: an e-mail address or a workflow's URL. */
  readonly identity: string;
  /** Who has told that identity to the authority. */
  readonly issuer: string;
}

/** Verifies bundles against a trusted root. */
export interface SigstoreVerifier {
  /**
   * Verifies a bundle: certificate, its timestamp, entry in the log, signature. Not who the signer
   * is, nor what was signed.
   *
   * @param bundle JSON.
   * @param artifact The bytes that are signed where it is not a statement that is.
   * @returns The signer.
   * @throws {Unacceptable} It does not hold.
   */
  verify(bundle: unknown, artifact: Uint8Array): CertifiedSigner;
}

/** The trusted root is none. */
export class UnusableRoot extends Error {
  /** Always `UnusableRoot`. */
  override readonly name = "UnusableRoot";
}

/**
 * Loads the library, mends it, and tries it with a signature that is known to be good.
 *
 * @param trustedRoot JSON, as `cosign trusted-root create` and Sigstore's TUF repository have it.
 * @returns Verifies against that root.
 * @throws {UnusableRoot} The root cannot be used.
 * @throws {Error} The library does not work in this program.
 */
export async function loadSigstore(trustedRoot: string): Promise<SigstoreVerifier> {
  const library = await loadLibrary();
  const known = createVerifier(library, KNOWN_GOOD_ROOT);
  try {
    known.verify(JSON.parse(KNOWN_GOOD_BUNDLE), new Uint8Array());
  } catch (cause) {
    throw new Error("Sigstore's verifier refuses a signature that is known to be good", { cause });
  }
  try {
    return createVerifier(library, trustedRoot);
  } catch (cause) {
    throw new UnusableRoot("is no trusted root of Sigstore's", { cause });
  }
}

type Library =
  & Pick<typeof import("@sigstore/bundle"), "bundleFromJSON">
  & Pick<typeof import("@sigstore/protobuf-specs"), "TrustedRoot">
  & Pick<
    typeof import("@sigstore/verify"),
    "toSignedEntity" | "toTrustMaterial" | "Verifier"
  >;

/** Only whoever asks for keyless verification pays for it. */
async function loadLibrary(): Promise<Library> {
  const { crypto } = await import("@sigstore/core");
  mend(crypto);
  const { bundleFromJSON } = await import("@sigstore/bundle");
  const { TrustedRoot } = await import("@sigstore/protobuf-specs");
  const { toSignedEntity, toTrustMaterial, Verifier } = await import("@sigstore/verify");
  return { bundleFromJSON, TrustedRoot, toSignedEntity, toTrustMaterial, Verifier };
}

/** What the library calls to verify a signature. */
type Verify = (
  data: Buffer,
  key: KeyObject,
  signature: Buffer,
  algorithm?: string,
) => boolean;

function mend(crypto: { verify: Verify }): void {
  crypto.verify = (data, key, signature, algorithm) => {
    try {
      return verify(hashFor(key, algorithm), data, key, signature);
    } catch {
      return false;
    }
  };
}

/** Hashes by the key where the library names none; Ed25519 brings its own. */
function hashFor(key: KeyObject, algorithm: string | undefined): string | null {
  if (key.asymmetricKeyType === "ed25519") return null;
  if (algorithm !== undefined) return algorithm;
  if (key.asymmetricKeyType !== "ec") return "sha256";
  const { crv } = key.export({ format: "jwk" });
  return crv === "P-384" ? "sha384" : crv === "P-521" ? "sha512" : "sha256";
}

function createVerifier(library: Library, trustedRoot: string): SigstoreVerifier {
  const { bundleFromJSON, TrustedRoot, toSignedEntity, toTrustMaterial, Verifier } = library;
  const root = TrustedRoot.fromJSON(JSON.parse(trustedRoot));
  if (root.certificateAuthorities.length === 0 || root.tlogs.length === 0) {
    throw new RangeError("no certificate authority or no log");
  }
  // One entry in a log, one timestamp of a certificate, one time: as `cosign verify` asks for.
  const verifier = new Verifier(toTrustMaterial(root), {
    tlogThreshold: 1,
    ctlogThreshold: 1,
    timestampThreshold: 1,
  });
  return {
    verify: (bundle, artifact) => {
      try {
        const entity = toSignedEntity(bundleFromJSON(bundle), Buffer.from(artifact));
        const { identity } = verifier.verify(entity);
        const name = identity?.subjectAlternativeName;
        const issuer = identity?.extensions?.issuer;
        if (name !== undefined && issuer !== undefined) return { identity: name, issuer };
      } catch (error) {
        // Whatever it throws, also by mistake: it has not verified.
        throw new Unacceptable(`a certificate's signature that does not hold (${brief(error)})`);
      }
      throw new Unacceptable("a certificate that names nobody");
    },
  };
}

function brief(error: unknown): string {
  return describeError(error).slice(0, 200);
}
