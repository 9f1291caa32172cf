/**
 * Signs as Cosign does, and also what Cosign would never sign.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { readPublicKey, type VerificationKey } from "../../src/cosign/keys.ts";
import { type Artifact, type BlobInput, describeArtifact, manifestOf, utf8 } from "./manifest.ts";

/** Media types and annotations as Cosign has them, written down a second time. */
const SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json";
const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";
const STATEMENT = "application/vnd.in-toto+json";

/** How a signature of Cosign v2 differs from what it should be. */
export interface SimpleOptions {
  /** The digest that it is of. @default that of the artifact */
  readonly digest?: string;
  /** The repository that it is for. @default `registry.example/esp32` */
  readonly reference?: string;
  /** What the signed text says that it is. @default as Cosign has it */
  readonly type?: string;
  /** What is noted and signed. @default nothing */
  readonly optional?: Readonly<Record<string, unknown>> | null;
  /** The whole text. @default of the above */
  readonly payload?: Uint8Array;
}

/** How a bundle of Cosign v3 differs from what it should be. */
export interface BundleOptions {
  /** Members of the statement. @default as Cosign has them */
  readonly statement?: Readonly<Record<string, unknown>>;
  /** What the envelope says that it holds. @default a statement */
  readonly payloadType?: string;
  /** Members of the bundle. @default as Cosign has them */
  readonly members?: Readonly<Record<string, unknown>>;
  /** How often the signature stands in the envelope. @default 1 */
  readonly signatures?: number;
}

/** A key pair. */
export class Signer {
  readonly #privateKey: KeyObject;
  /** The public key, as `cosign generate-key-pair` writes it. */
  readonly pem: string;
  /** The private key, which nobody should be given. */
  readonly privatePem: string;

  /** @param namedCurve Of the key. @default P-256 */
  constructor(namedCurve = "P-256") {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
    this.#privateKey = privateKey;
    this.pem = `${publicKey.export({ type: "spki", format: "pem" })}`;
    this.privatePem = `${privateKey.export({ type: "pkcs8", format: "pem" })}`;
  }

  /** The public key, to be verified with. */
  get key(): VerificationKey {
    return readPublicKey(this.pem, "signer.pub");
  }

  /** Signs, in base64. */
  sign(data: Uint8Array, hash = "sha256"): string {
    return sign(hash, data, this.#privateKey).toString("base64");
  }

  /** A layer of what Cosign v2 leaves at the tag `sha256-….sig`. */
  layer(artifact: Artifact, options: SimpleOptions = {}): BlobInput {
    const { digest = artifact.digest, reference = "registry.example/esp32" } = options;
    const { type = "cosign container image signature", optional = null } = options;
    const critical = {
      identity: { "docker-reference": reference },
      image: { "docker-manifest-digest": digest },
      type,
    };
    const bytes = options.payload ?? utf8(JSON.stringify({ critical, optional }));
    const annotations = { "dev.cosignproject.cosign/signature": this.sign(bytes) };
    return { mediaType: SIMPLE_SIGNING, bytes, annotations };
  }

  /** What Cosign v3 attaches to an image. */
  referrer(artifact: Artifact, options: BundleOptions = {}): Artifact {
    const statement = utf8(JSON.stringify({
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ digest: { sha256: artifact.digest.slice("sha256:".length) }, annotations: {} }],
      predicateType: "https://sigstore.dev/cosign/sign/v1",
      predicate: {},
      ...options.statement,
    }));
    const { payloadType = STATEMENT, signatures = 1 } = options;
    const head = utf8(`DSSEv1 ${payloadType.length} ${payloadType} ${statement.length} `);
    const sig = this.sign(Buffer.concat([head, statement]));
    const bundle = {
      mediaType: BUNDLE,
      verificationMaterial: { publicKey: { hint: "" } },
      dsseEnvelope: {
        payload: Buffer.from(statement).toString("base64"),
        payloadType,
        signatures: Array.from({ length: signatures }, () => ({ sig })),
      },
      ...options.members,
    };
    return referrerOf(artifact, utf8(JSON.stringify(bundle)));
  }
}

/** What refers to an artifact and says that it is a bundle. */
export function referrerOf(artifact: Artifact, bytes: Uint8Array): Artifact {
  return manifestOf({
    artifactType: BUNDLE,
    subject: describeArtifact(artifact),
    layers: [{ mediaType: BUNDLE, bytes }],
  });
}

/** What Cosign v2 leaves at the tag of {@linkcode signatureTag}. */
export function signatureManifest(layers: readonly BlobInput[]): Artifact {
  return manifestOf({ layers });
}

/** The tag at which Cosign v2 leaves signatures. */
export function signatureTag(artifact: Artifact): string {
  return `${artifact.digest.replace(":", "-")}.sig`;
}
