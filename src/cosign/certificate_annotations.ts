/**
 * How Cosign v2 notes a signature without a key: certificate and log entry are annotations of the
 * layer.
 *
 * @see https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash, X509Certificate } from "node:crypto";
import * as v from "valibot";
import { decodeBase64, decodeJson } from "./encoding.ts";
import { SIGNATURE_ANNOTATION } from "./simple_signing.ts";
import { Unacceptable } from "./unacceptable.ts";

/** Annotation: the certificate in PEM. */
const CERTIFICATE_ANNOTATION = "dev.sigstore.cosign/certificate";

/** Annotation: what the log has promised, and of what. */
const BUNDLE_ANNOTATION = "dev.sigstore.cosign/bundle";

const entrySchema = v.object({
  SignedEntryTimestamp: v.string(),
  Payload: v.object({
    body: v.string(),
    integratedTime: v.pipe(v.number(), v.safeInteger()),
    logIndex: v.pipe(v.number(), v.safeInteger()),
    logID: v.pipe(v.string(), v.regex(/^[0-9a-f]+$/)),
  }),
});

const bodySchema = v.object({ kind: v.string(), apiVersion: v.string() });

/**
 * Writes the annotations down as the bundle that they would be today, of the version that has a
 * promise of the log instead of a proof.
 *
 * @param payload The layer's blob, which is signed.
 * @param annotations The layer's annotations.
 * @returns A bundle, not verified; undefined where there is no certificate.
 * @throws {Unacceptable} They are not of the form that Cosign writes.
 */
export function bundleOfAnnotations(
  payload: Uint8Array,
  annotations: Readonly<Record<string, string>>,
): unknown {
  const pem = annotations[CERTIFICATE_ANNOTATION];
  if (pem === undefined) return undefined;
  const noted = Buffer.from(annotations[BUNDLE_ANNOTATION] ?? "");
  const { SignedEntryTimestamp, Payload: entry } = decodeJson(noted, entrySchema);
  const { kind, apiVersion } = decodeJson(decodeBase64(entry.body), bodySchema);
  return {
    mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.1",
    verificationMaterial: {
      x509CertificateChain: { certificates: [{ rawBytes: derOf(pem) }] },
      tlogEntries: [{
        logIndex: String(entry.logIndex),
        logId: { keyId: Buffer.from(entry.logID, "hex").toString("base64") },
        kindVersion: { kind, version: apiVersion },
        integratedTime: String(entry.integratedTime),
        inclusionPromise: { signedEntryTimestamp: SignedEntryTimestamp },
        canonicalizedBody: entry.body,
      }],
    },
    messageSignature: {
      messageDigest: {
        algorithm: "SHA2_256",
        digest: createHash("sha256").update(payload).digest("base64"),
      },
      signature: annotations[SIGNATURE_ANNOTATION],
    },
  };
}

function derOf(pem: string): string {
  try {
    return Buffer.from(new X509Certificate(pem).raw).toString("base64");
  } catch {
    throw new Unacceptable("what is no certificate");
  }
}
