/**
 * Cosign's signatures up to v2: a layer whose blob is the signed text, with the signature in its
 * annotation.
 *
 * @see https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
 * @module
 */

import * as v from "valibot";
import type { Digest } from "../digest.ts";
import { decodeJson } from "./encoding.ts";
import { quote, Unacceptable } from "./unacceptable.ts";

/** Media type of such a layer. */
export const SIMPLE_SIGNING_MEDIA_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json";

/** Annotation of the layer: the signature over the blob, in base64. */
export const SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature";

const payloadSchema = v.object({
  critical: v.object({
    identity: v.object({ "docker-reference": v.string() }),
    image: v.object({ "docker-manifest-digest": v.string() }),
    type: v.literal("cosign container image signature"),
  }),
  optional: v.optional(v.nullable(v.record(v.string(), v.unknown()))),
});

/** What is signed, by whatever format. */
export interface SignedClaim {
  /** What the signer noted; signed with the rest. */
  readonly annotations: Readonly<Record<string, unknown>>;
}

/**
 * Reads what was signed.
 *
 * @param payload The blob; its signature is verified elsewhere.
 * @param subject What it must be about: a digest, in the repository of a device.
 * @returns What it says.
 * @throws {Unacceptable} It is about something else.
 */
export function readPayload(
  payload: Uint8Array,
  { digest, device }: { readonly digest: Digest; readonly device: string },
): SignedClaim {
  const { critical, optional } = decodeJson(payload, payloadSchema);
  const signed = critical.image["docker-manifest-digest"];
  if (signed !== digest) throw new Unacceptable(`a signature of ${quote(signed)}`);
  const reference = critical.identity["docker-reference"];
  if (!isOf(device, reference)) {
    throw new Unacceptable(`a signature for the repository ${quote(reference)}`);
  }
  return { annotations: optional ?? {} };
}

/**
 * A signature is bound to the device, not to host and prefix: those change with every mirror.
 * Cosign itself ignores the reference; where its signer left it out, there is nothing to compare.
 */
function isOf(device: string, reference: string): boolean {
  const [name = ""] = reference.split("@");
  const repository = name.replace(/:[^/:]*$/, "");
  return reference === "" || repository === device || repository.endsWith(`/${device}`);
}
