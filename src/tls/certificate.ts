/**
 * A certificate with its key, as two files hold them, and what may be wrong with them.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { describeError } from "../errors.ts";
import { describeReadError } from "../files.ts";

/** Where a certificate and its key are. */
export interface CertificatePaths {
  /** A file with the server's certificate in PEM, then those of the authorities between. */
  readonly certPath: string;
  /** A file with its private key in PEM, which no passphrase protects. */
  readonly keyPath: string;
}

/** A certificate with its key, in PEM. */
export interface CertificatePair {
  /** The server's certificate first. */
  readonly cert: string;
  /** Its private key. Never logged. */
  readonly key: string;
}

/** A pair that cannot be used, with the reason in one sentence, which holds nothing of the key. */
export class CertificateError extends Error {
  /** Always `CertificateError`. */
  override readonly name = "CertificateError";
}

/**
 * Reads a pair as it is now, whole or not.
 *
 * @param paths Where it is.
 * @returns What the files hold.
 * @throws {CertificateError} A file cannot be read.
 */
export async function readPair({ certPath, keyPath }: CertificatePaths): Promise<CertificatePair> {
  const [cert, key] = await Promise.all([read(certPath), read(keyPath)]);
  return { cert, key };
}

/**
 * Checks that a pair is whole and belongs together. Its dates are another question: a gateway whose
 * clock is not set yet has to serve all the same.
 *
 * @param pair What the files hold.
 * @throws {CertificateError} It cannot be used.
 */
export function checkPair({ cert, key }: CertificatePair): void {
  const [leaf] = certificatesOf(cert);
  if (leaf === undefined) throw new CertificateError("The certificate's file holds none in PEM");
  // `checkPrivateKey()` would be shorter, but older base runtimes of executables lack it.
  const wanted = spkiOf(() => leaf.publicKey);
  const privateKey = privateKeyOf(key);
  if (!spkiOf(() => createPublicKey(privateKey)).equals(wanted)) {
    throw new CertificateError("The key does not belong to the certificate");
  }
}

/**
 * Says what the server's certificate in a pair is, for a log.
 *
 * @param pair One that {@linkcode checkPair} found nothing wrong with.
 * @returns Its last moment, and its fingerprint (SHA-256) as `openssl x509 -fingerprint` shows it.
 */
export function describePair({ cert }: CertificatePair): Readonly<Record<string, string>> {
  const { fingerprint256 } = new X509Certificate(cert);
  return { validTo: lastMoment({ cert }).toISOString(), fingerprint: fingerprint256 };
}

/**
 * Says until when the server's certificate in a pair is valid.
 *
 * @param pair One that {@linkcode checkPair} found nothing wrong with.
 * @returns Its last moment.
 */
export function lastMoment({ cert }: Pick<CertificatePair, "cert">): Date {
  return new Date(new X509Certificate(cert).validTo);
}

/**
 * Says what is wrong with the dates of the server's certificate.
 *
 * @param pair One that {@linkcode checkPair} found nothing wrong with.
 * @param now The time, in milliseconds since 1970.
 * @returns A sentence; undefined where it is valid.
 */
export function datesComplaint({ cert }: CertificatePair, now: number): string | undefined {
  const { validFrom, validTo } = new X509Certificate(cert);
  if (now > Date.parse(validTo)) return `The certificate has expired, it was valid to ${validTo}`;
  if (now < Date.parse(validFrom)) return `The certificate is valid from ${validFrom} on only`;
  return undefined;
}

function spkiOf(read: () => KeyObject): Buffer {
  try {
    return Buffer.from(read().export({ type: "spki", format: "der" }));
  } catch (error) {
    // Says which kind it is; a public key is no secret.
    throw new CertificateError(`The certificate cannot be served: ${describeError(error)}`);
  }
}

async function read(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    throw new CertificateError(`Cannot read ${JSON.stringify(path)}: ${describeReadError(cause)}`);
  }
}

/** A file that is being written ends anywhere: the last certificate of a chain may lack its end. */
function certificatesOf(pem: string): readonly X509Certificate[] {
  const parts = pem.split(/(?=-----BEGIN CERTIFICATE-----)/)
    .filter((part) => part.startsWith("-----BEGIN CERTIFICATE-----"));
  try {
    return parts.map((part) => new X509Certificate(part));
  } catch {
    throw new CertificateError("The certificate's file is not whole or not PEM");
  }
}

/** What the library says of a bad key is not passed on: it might quote it. */
function privateKeyOf(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new CertificateError(
      "The key's file holds no key in PEM without a passphrase (openssl pkey -in takes one away)",
    );
  }
}
