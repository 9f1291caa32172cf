/**
 * Decides whether a firmware is signed as the policy asks for. Fits the port that the domain asks
 * for (`FirmwareVerifier`).
 *
 * @module
 */

import type { Digest } from "../digest.ts";
import { ServiceError } from "../errors.ts";
import type { AcceptedVersions } from "./accepted.ts";
import { readBundle, signedBytes } from "./bundle.ts";
import { bundleOfAnnotations } from "./certificate_annotations.ts";
import { findSignatures, type FoundSignature, type SignatureSource } from "./discovery.ts";
import { decodeBase64 } from "./encoding.ts";
import { Findings } from "./findings.ts";
import { verifyKeyless } from "./keyless.ts";
import { checkAnnotations, checkVersion, nameOf, type SigningPolicy } from "./policy.ts";
import { readPayload, SIGNATURE_ANNOTATION, type SignedClaim } from "./simple_signing.ts";
import { readStatement } from "./statement.ts";
import { Unacceptable } from "./unacceptable.ts";

/** A manifest or index, verified against its digest. */
export interface SignedDocument {
  /** Its digest. */
  readonly digest: Digest;
  /** The document, byte for byte. */
  readonly bytes: Uint8Array;
}

/** What is to be verified. */
export interface SignedFirmware {
  /** The tag that it was found by. */
  readonly tag: string;
  /** The version that the tag says. */
  readonly version: string;
  /** The hardware that was asked for, in a text. @default none was */
  readonly part?: string;
  /** Index and manifest, or the manifest alone; the bytes of each name the digest of the next. */
  readonly documents: readonly SignedDocument[];
}

/** Options of {@linkcode CosignVerifier}. */
export interface CosignVerifierOptions {
  /** Where signatures are looked for. */
  readonly source: SignatureSource;
  /** What makes firmware count as signed. */
  readonly policy: SigningPolicy;
  /** Which firmware was accepted for each version; asked where the policy wants versions signed. */
  readonly accepted: AcceptedVersions;
}

/** A signature that was verified. */
interface Signed {
  /** Who has signed: a key's id, or a certificate's identity. */
  readonly signer: string;
  readonly claim: SignedClaim;
}

/** A document with those below it, and the device that it is for. */
interface Subject extends SignedDocument {
  readonly device: string;
  /** It and what it names: all that a signature of it covers. */
  readonly covered: readonly SignedDocument[];
}

/** Verifies Cosign's signatures, of v2 and v3. */
export class CosignVerifier {
  /** The name of the policy: what was verified under another one has to be verified again. */
  readonly policy: string;
  readonly #source: SignatureSource;
  readonly #policy: SigningPolicy;
  readonly #accepted: AcceptedVersions;

  /**
   * Asks nothing yet.
   *
   * @param options Where, and for what.
   */
  constructor({ source, policy, accepted }: CosignVerifierOptions) {
    this.policy = nameOf(policy);
    this.#source = source;
    this.#policy = policy;
    this.#accepted = accepted;
  }

  /**
   * Verifies a firmware by the signatures of its index or of its manifest.
   *
   * @param device Whose.
   * @param firmware What was found by its tag.
   * @throws {ServiceError} `signature-invalid` where it is not signed as the policy asks for,
   * `source-*` where that cannot be told now, or `storage-failed`.
   */
  async verify(device: string, firmware: SignedFirmware): Promise<void> {
    const findings = await this.#collect(device, firmware);
    const { minSignatures, requireVersion } = this.#policy;
    if (findings.signers.size < minSignatures) {
      if (findings.outage !== undefined) throw findings.outage;
      throw this.#refusal(device, firmware, findings);
    }
    if (requireVersion) await this.#acceptVersion(device, firmware);
  }

  async #collect(device: string, firmware: SignedFirmware): Promise<Findings> {
    const findings = new Findings();
    for (const [at, document] of firmware.documents.entries()) {
      const subject = { ...document, device, covered: firmware.documents.slice(at) };
      const options = {
        device,
        digest: document.digest,
        onSkipped: (reason: Unacceptable | ServiceError) => findings.add(reason),
      };
      for await (const signature of findSignatures(this.#source, options)) {
        try {
          const { signer, claim } = await this.#examine(signature, subject);
          this.#checkClaim(claim, subject, firmware);
          findings.signers.add(signer);
        } catch (error) {
          if (!(error instanceof Unacceptable)) throw error;
          findings.add(error);
        }
        if (findings.signers.size >= this.#policy.minSignatures) return findings;
      }
    }
    return findings;
  }

  async #examine(signature: FoundSignature, subject: Subject): Promise<Signed> {
    if (signature.kind === "bundle") return await this.#examineBundle(signature.bytes, subject);
    const { bytes, annotations } = signature;
    const text = annotations[SIGNATURE_ANNOTATION];
    if (text === undefined) throw new Unacceptable("a layer without a signature");
    const data = decodeBase64(text);
    const bundle = this.#policy.keyless && bundleOfAnnotations(bytes, annotations);
    const signer = bundle === undefined
      ? await this.#signerOf(bytes, data)
      : this.#certifiedSignerOf(bundle, bytes);
    return { signer, claim: readPayload(bytes, subject) };
  }

  async #examineBundle(bytes: Uint8Array, subject: Subject): Promise<Signed> {
    const { isKeyless, statement, signature } = readBundle(bytes);
    // What is signed without a statement is the document itself, and nothing is noted with it. What
    // is said comes first: to see who has said it takes 70 ms where it was by a certificate.
    const claim = statement ? readStatement(statement, subject.digest) : { annotations: {} };
    const signer = isKeyless
      ? this.#certifiedSignerOf(JSON.parse(new TextDecoder().decode(bytes)), subject.bytes)
      : await this.#signerOf(statement ? signedBytes(statement) : subject.bytes, signature);
    return { signer, claim };
  }

  async #signerOf(data: Uint8Array, signature: Uint8Array): Promise<string> {
    for (const key of this.#policy.keys) {
      if (await key.verify(data, signature)) return key.id;
    }
    throw new Unacceptable("a signature by no key that counts");
  }

  #certifiedSignerOf(bundle: unknown, artifact: Uint8Array): string {
    const { keyless } = this.#policy;
    if (keyless === undefined) throw new Unacceptable("a signature by a certificate");
    const signer = verifyKeyless(keyless.sigstore, keyless, { bundle, artifact });
    return JSON.stringify([signer.issuer, signer.identity]);
  }

  #checkClaim(claim: SignedClaim, subject: Subject, { tag, version }: SignedFirmware): void {
    const { annotations, requireVersion } = this.#policy;
    checkAnnotations(claim, { wanted: annotations, device: subject.device });
    if (!requireVersion) return;
    checkVersion(claim, { documents: subject.covered.map(({ bytes }) => bytes), tag, version });
  }

  /** The manifest counts, not the index around it: it is what names the firmware. */
  async #acceptVersion(device: string, firmware: SignedFirmware): Promise<void> {
    const { version, part = "", documents } = firmware;
    const digest = documents.at(-1)?.digest;
    if (digest === undefined) throw new TypeError("A firmware has at least one document");
    // Each hardware has a manifest of its own; no version holds a question mark.
    const name = part === "" ? version : `${version}?${part}`;
    const accepted = await this.#accepted.accept(device, name, digest);
    if (accepted === digest) return;
    throw new ServiceError(
      "signature-invalid",
      `Firmware ${version} of device '${device}' is not the one that was accepted for this version`,
      { cause: `equivocation: found ${digest}, want ${accepted}` },
    );
  }

  #refusal(device: string, firmware: SignedFirmware, findings: Findings): ServiceError {
    const { version, documents: [top] } = firmware;
    return new ServiceError(
      "signature-invalid",
      `Firmware ${version} of device '${device}' is not signed by whom it should be`,
      { cause: `${top?.digest}: found ${findings}, want ${this.#wanted()}` },
    );
  }

  #wanted(): string {
    const { keys, keyless, minSignatures } = this.#policy;
    const names = keys.map(({ name, id }) => `${name} (${id.slice(0, 8)})`).join(", ");
    return [
      `${minSignatures} of`,
      ...(keys.length > 0 ? [names] : []),
      ...(keyless ? [`${keyless.identity} of ${keyless.issuer}`] : []),
    ].join(" ");
  }
}
