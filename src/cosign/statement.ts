/**
 * The in-toto statement by which Cosign v3 signs an image.
 *
 * @see https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md
 * @see https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
 * @module
 */

import * as v from "valibot";
import type { Digest } from "../digest.ts";
import { decodeJson } from "./encoding.ts";
import type { SignedClaim } from "./simple_signing.ts";
import { quote, Unacceptable } from "./unacceptable.ts";

/** What a DSSE envelope holds where it holds a statement. */
export const STATEMENT_MEDIA_TYPE = "application/vnd.in-toto+json";

/** Says that this is a signature, and no SBOM or provenance by the same key. */
const SIGNATURE_PREDICATE = "https://sigstore.dev/cosign/sign/v1";

/** `predicate` itself is of no use, and is missing in bundles of v3.0.0 to v3.0.4. */
const statementSchema = v.object({
  _type: v.picklist(["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"]),
  predicateType: v.string(),
  subject: v.array(v.object({
    digest: v.record(v.string(), v.string()),
    annotations: v.optional(v.nullable(v.record(v.string(), v.unknown()))),
  })),
});

/**
 * Reads what was signed.
 *
 * @param payload The statement; its signature is verified elsewhere.
 * @param digest What it must be about.
 * @returns What it says.
 * @throws {Unacceptable} It is about something else, or no signature but another statement.
 */
export function readStatement(payload: Uint8Array, digest: Digest): SignedClaim {
  const { predicateType, subject } = decodeJson(payload, statementSchema);
  if (predicateType !== SIGNATURE_PREDICATE) {
    throw new Unacceptable(
      `a statement of the type ${quote(predicateType)}, which is no signature`,
    );
  }
  const [algorithm = "", hex] = digest.split(":");
  const signed = subject.find((entry) =>
    Object.hasOwn(entry.digest, algorithm) && entry.digest[algorithm] === hex
  );
  if (signed !== undefined) return { annotations: signed.annotations ?? {} };
  const [first] = subject;
  const other = first === undefined ? "nothing" : quote(Object.entries(first.digest).join());
  throw new Unacceptable(`a signature of ${other}`);
}
