/**
 * Public keys as Cosign makes them, and which hash each goes with. The hash never comes from what
 * is verified.
 *
 * @see https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";

/** A key cannot be used; the message says why, to follow the key's name. */
export class UnusableKey extends Error {
  /** Always `UnusableKey`. */
  override readonly name = "UnusableKey";
}

/** A key that firmware may be signed with. */
export interface VerificationKey {
  /** SHA-256 of the key (its SubjectPublicKeyInfo) in hex: the same key has it in every file. */
  readonly id: string;
  /** What people call it, such as the name of its file. */
  readonly name: string;
  /**
   * Tells whether this key has signed something.
   *
   * @param data What was signed.
   * @param signature The signature: DER of ECDSA, else the bytes as they are.
   * @returns Whether it has; false for what is no signature at all.
   */
  verify(data: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

const WANTED_FILE = "want one key as cosign generate-key-pair writes it (cosign.pub)";

const PUBLIC_KEY = /^\s*-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----\s*$/;

/**
 * Reads a public key.
 *
 * @param pem The text of a `.pub` file: SubjectPublicKeyInfo in PEM (RFC 7468, 13).
 * @param name What people call it.
 * @returns The key.
 * @throws {UnusableKey} It is none, a private one, or of a kind that Cosign does not sign with.
 */
export function readPublicKey(pem: string, name: string): VerificationKey {
  if (/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(pem)) {
    throw new UnusableKey("is a private key, want the public one (cosign public-key)");
  }
  // `createPublicKey` would take private keys and certificates, too.
  if (/-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/.test(pem)) {
    throw new UnusableKey(
      "is a certificate, want a public key; for certificates see --cosign-certificate-identity",
    );
  }
  if (!PUBLIC_KEY.test(pem)) throw new UnusableKey(`is no public key in PEM, ${WANTED_FILE}`);
  const key = parse(pem);
  const verifyOne = verifierOf(key);
  return {
    name,
    id: createHash("sha256").update(key.export({ type: "spki", format: "der" })).digest("hex"),
    verify: async (data, signature) => {
      try {
        return await verifyOne(data, signature);
      } catch {
        return false;
      }
    },
  };
}

function parse(pem: string): KeyObject {
  try {
    return createPublicKey(pem);
  } catch {
    throw new UnusableKey(`is no public key that can be read, ${WANTED_FILE}`);
  }
}

/** Cosign signs with the first hash, and its own `verify` asks for the second by default. */
const CURVE_HASHES: Readonly<Record<string, readonly string[]>> = {
  "P-256": ["sha256"],
  "P-384": ["sha384", "sha256"],
  "P-521": ["sha512"],
};

/** Shorter keys can be broken; longer ones take long. */
const RSA_BITS = { min: 2048, max: 4096 };

type Verify = (data: Uint8Array, signature: Uint8Array) => boolean | Promise<boolean>;

function verifierOf(key: KeyObject): Verify {
  switch (key.asymmetricKeyType) {
    case "ec": {
      const curve = curveOf(key);
      const hashes = CURVE_HASHES[curve];
      if (hashes === undefined) throw new UnusableKey(`is of the curve ${curve}, ${WANTED}`);
      return (data, signature) =>
        hashes.some((hash) => verify(hash, data, key, signature)) ||
        (curve === "P-521" && verifyShortHash(key, data, signature));
    }
    case "rsa": {
      const { modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
      if (modulusLength < RSA_BITS.min || modulusLength > RSA_BITS.max) {
        throw new UnusableKey(`is an RSA key of ${modulusLength} bits, ${WANTED}`);
      }
      return (data, signature) => verify("sha256", data, key, signature);
    }
    case "ed25519":
      return (data, signature) => verifyEd25519(key, data, signature);
    default:
      throw new UnusableKey(`is a key of the type ${key.asymmetricKeyType}, ${WANTED}`);
  }
}

const WANTED = "want ECDSA P-256, P-384 or P-521, RSA of 2048 to 4096 bits, or Ed25519";

/** By its JWK name (RFC 7518, 6.2.1.1): releases of Deno differ in `namedCurve`. */
function curveOf(key: KeyObject): string {
  try {
    return key.export({ format: "jwk" }).crv ?? "without a name";
  } catch {
    // Deno writes no JWK of a curve that it does not know.
    return "without a name";
  }
}

/** Deno refuses hashes of less than half of the curve's length, which P-521 with SHA-256 is. */
async function verifyShortHash(
  key: KeyObject,
  data: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const { p521 } = await import("@noble/curves/nist.js");
  const { x = "", y = "" } = key.export({ format: "jwk" });
  const point = [Buffer.of(4), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")];
  const hash = createHash("sha256").update(data).digest();
  const options = { prehash: false, lowS: false, format: "der" } as const;
  return p521.verify(signature, hash, Buffer.concat(point), options);
}

/**
 * `cosign sign` hashes first (Ed25519ph, RFC 8032, 5.1), which `node:crypto` does not know;
 * `cosign sign-blob` does not. The two cannot be taken for each other.
 */
async function verifyEd25519(
  key: KeyObject,
  data: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (verify(null, data, key, signature)) return true;
  // Loaded only where it is needed: few have such keys.
  const { ed25519ph } = await import("@noble/curves/ed25519.js");
  const publicKey = Buffer.from(key.export({ format: "jwk" }).x ?? "", "base64url");
  return ed25519ph.verify(signature, data, publicKey, { zip215: false });
}
