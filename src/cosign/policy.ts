/**
 * What makes firmware count as signed, and the name of it all.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { VerificationKey } from "./keys.ts";
import type { KeylessIdentity } from "./keyless.ts";
import type { SigstoreVerifier } from "./sigstore.ts";
import type { SignedClaim } from "./simple_signing.ts";
import { quote, Unacceptable } from "./unacceptable.ts";

/** Changes when the rules in this folder become stricter, so that all is verified again. */
const RULES_VERSION = 1;

/** In a wanted annotation it stands for the id of the device that the firmware is for. */
const DEVICE_PLACEHOLDER = "{device}";

/** Annotation of a manifest, or of a signature: the version (image-spec, annotations.md). */
const VERSION_ANNOTATION = "org.opencontainers.image.version";

/** What a signature's annotation may be called as well: `cosign sign -a version=1.2.3`. */
const SHORT_VERSION_ANNOTATION = "version";

/** What makes firmware count as signed. */
export interface SigningPolicy {
  /** Any of them may sign. */
  readonly keys: readonly VerificationKey[];
  /** Whoever may sign by a certificate; nobody without. */
  readonly keyless: (KeylessIdentity & KeylessTrust) | undefined;
  /** What every signature must note. */
  readonly annotations: Readonly<Record<string, string>>;
  /** How many must have signed; several signatures of one count once. */
  readonly minSignatures: number;
  /** Whether the tag's version must stand in what was signed. */
  readonly requireVersion: boolean;
}

/** What certificates are verified with. */
export interface KeylessTrust {
  /** The trusted root, JSON, for the policy's name. */
  readonly trustedRoot: string;
  /** Verifies against it. */
  readonly sigstore: SigstoreVerifier;
}

/**
 * Names a policy: the same keys and rules have the same name in every process.
 *
 * @param policy The policy.
 * @returns A text to compare.
 */
export function nameOf(policy: SigningPolicy): string {
  const { keys, keyless, annotations, minSignatures, requireVersion } = policy;
  const content = JSON.stringify([
    RULES_VERSION,
    [...new Set(keys.map(({ id }) => id))].toSorted(),
    keyless && [keyless.issuer, String(keyless.identity), keyless.trustedRoot],
    Object.entries(annotations).toSorted(([one], [other]) => one < other ? -1 : 1),
    minSignatures,
    requireVersion,
  ]);
  return `cosign:${createHash("sha256").update(content).digest("hex")}`;
}

/**
 * Checks what a signature notes.
 *
 * @param claim What was signed.
 * @param wanted What must be noted, and of which device.
 * @throws {Unacceptable} Something is missing, or is another.
 */
export function checkAnnotations(
  { annotations }: SignedClaim,
  { wanted, device }: {
    readonly wanted: SigningPolicy["annotations"];
    readonly device: string;
  },
): void {
  for (const [name, value] of Object.entries(wanted)) {
    const expected = value.replaceAll(DEVICE_PLACEHOLDER, () => device);
    if (annotations[name] !== expected) {
      throw new Unacceptable(`a signature without the annotation ${name}=${expected}`);
    }
  }
}

/**
 * Checks that the version of a tag stands in what was signed, and no other one.
 *
 * @param claim What was signed.
 * @param signed The documents that the signature covers, and the tag with its version.
 * @throws {Unacceptable} It does not, or says another.
 */
export function checkVersion(
  { annotations }: SignedClaim,
  { documents, tag, version }: {
    readonly documents: readonly Uint8Array[];
    readonly tag: string;
    readonly version: string;
  },
): void {
  const stated = [
    ...documents.map(annotationsOf).map((noted) => noted[VERSION_ANNOTATION]),
    annotations[VERSION_ANNOTATION],
    annotations[SHORT_VERSION_ANNOTATION],
  ].filter((text) => text !== undefined);
  const others = stated.filter((text) => {
    return text !== tag && text !== version && text !== `v${version}`;
  });
  if (others.length > 0) {
    throw new Unacceptable(`a signature of the version ${quote(String(others[0]))}`);
  }
  if (stated.length === 0) throw new Unacceptable("a signature that names no version");
}

/** Of a manifest or index whose digest was verified. */
function annotationsOf(document: Uint8Array): Readonly<Record<string, unknown>> {
  const { annotations } = JSON.parse(new TextDecoder().decode(document));
  return typeof annotations === "object" && annotations !== null ? annotations : {};
}
