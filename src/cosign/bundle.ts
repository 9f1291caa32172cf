/**
 * Sigstore bundles, in which Cosign v3 puts signatures.
 *
 * @see https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md
 * @see https://docs.sigstore.dev/about/bundle/
 * @module
 */

import { Buffer } from "node:buffer";
import * as v from "valibot";
import { decodeBase64, decodeJson } from "./encoding.ts";
import { STATEMENT_MEDIA_TYPE } from "./statement.ts";
import { quote, Unacceptable } from "./unacceptable.ts";

/** What the media type of every bundle begins with, of layers and of manifests. */
export const BUNDLE_MEDIA_TYPE_PREFIX = "application/vnd.dev.sigstore.bundle";

/** Both spellings of v0.3. Earlier ones are of before Cosign put bundles into registries. */
const MEDIA_TYPES = [
  "application/vnd.dev.sigstore.bundle.v0.3+json",
  "application/vnd.dev.sigstore.bundle+json;version=0.3",
];

const bundleSchema = v.object({
  mediaType: v.string(),
  verificationMaterial: v.object({
    publicKey: v.optional(v.unknown()),
    certificate: v.optional(v.object({ rawBytes: v.string() })),
  }),
  dsseEnvelope: v.optional(v.object({
    payload: v.string(),
    payloadType: v.string(),
    signatures: v.array(v.object({ sig: v.string() })),
  })),
  messageSignature: v.optional(v.object({ signature: v.string() })),
});

/** A bundle, taken apart and not verified. */
export interface Bundle {
  /** Whether it was signed by a certificate rather than by a key. */
  readonly isKeyless: boolean;
  /** The statement in it; undefined where the signature is over the artifact itself. */
  readonly statement: Uint8Array | undefined;
  /** The signature. */
  readonly signature: Uint8Array;
}

/**
 * Takes a bundle apart.
 *
 * @param bytes JSON.
 * @returns Its parts.
 * @throws {Unacceptable} It is none of v0.3, or not of one signature.
 */
export function readBundle(bytes: Uint8Array): Bundle {
  const bundle = decodeJson(bytes, bundleSchema);
  const { mediaType, verificationMaterial, dsseEnvelope, messageSignature } = bundle;
  if (!MEDIA_TYPES.includes(mediaType)) {
    throw new Unacceptable(`a bundle of the type ${quote(mediaType)}`);
  }
  const { certificate } = verificationMaterial;
  const isKeyless = certificate !== undefined;
  // The library that verifies it would read other spellings as well.
  if (isKeyless) decodeBase64(certificate.rawBytes);
  // Of two things in one bundle it would not be clear which one is signed.
  if (isKeyless === (verificationMaterial.publicKey !== undefined)) {
    throw new Unacceptable("a bundle that is of neither a key nor a certificate");
  }
  if ((dsseEnvelope === undefined) === (messageSignature === undefined)) {
    throw new Unacceptable("a bundle that does not hold one signature");
  }
  if (dsseEnvelope === undefined) {
    const signature = decodeBase64(messageSignature?.signature ?? "");
    return { isKeyless, statement: undefined, signature };
  }
  const { payload, payloadType, signatures: [signature, ...others] } = dsseEnvelope;
  if (payloadType !== STATEMENT_MEDIA_TYPE) {
    throw new Unacceptable(`an envelope of the type ${quote(payloadType)}`);
  }
  if (signature === undefined || others.length > 0) {
    throw new Unacceptable(`an envelope of ${dsseEnvelope.signatures.length} signatures`);
  }
  return {
    isKeyless,
    statement: decodeBase64(payload),
    signature: decodeBase64(signature.sig),
  };
}

/**
 * The bytes that are signed for a statement in a DSSE envelope.
 *
 * @param statement The statement.
 * @returns Its pre-authentication encoding.
 * @see https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md
 */
export function signedBytes(statement: Uint8Array): Uint8Array {
  const head = `DSSEv1 ${STATEMENT_MEDIA_TYPE.length} ${STATEMENT_MEDIA_TYPE} ${statement.length} `;
  return Buffer.concat([Buffer.from(head), statement]);
}
