/**
 * Finds what may be signatures of a manifest. All of it was put there by whoever may push: junk is
 * passed over, and there are bounds to number and size.
 *
 * @see https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
 * @see https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md
 * @module
 */

import { type Digest, digestOf } from "../digest.ts";
import { isServiceError, type ServiceError } from "../errors.ts";
import { type DeliveredManifest, type Descriptor, parseManifest } from "../oci.ts";
import { BUNDLE_MEDIA_TYPE_PREFIX } from "./bundle.ts";
import { SIMPLE_SIGNING_MEDIA_TYPE } from "./simple_signing.ts";
import { Unacceptable } from "./unacceptable.ts";

/** A signature takes a few KB, one with certificate and log entry 15. */
const SIGNATURE_LIMIT_BYTES = 1024 * 1024;

/** So many referrers of a manifest, and layers of each, are looked at. */
const SIGNATURES_LIMIT = 50;

/** Where signatures are looked for. Nothing that it delivers is trusted. */
export interface SignatureSource {
  /** Descriptors of manifests that refer to a manifest. */
  listReferrers(device: string, digest: Digest): Promise<readonly Descriptor[]>;
  /** A manifest by tag or digest; ServiceError `firmware-unknown` where there is none. */
  fetchManifest(device: string, reference: string): Promise<DeliveredManifest>;
  /** A blob's bytes. */
  openBlob(device: string, blob: Descriptor): Promise<ReadableStream<Uint8Array>>;
}

/** What may be a signature. */
export interface FoundSignature {
  /** Its format. */
  readonly kind: "simple" | "bundle";
  /** The layer's blob, as its descriptor names it. */
  readonly bytes: Uint8Array;
  /** The layer's annotations, which nobody signed. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** Options of {@linkcode findSignatures}. */
export interface FindOptions {
  /** Whose repository. */
  readonly device: string;
  /** The manifest that is to be signed. */
  readonly digest: Digest;
  /** Told of what could not be looked at. */
  readonly onSkipped: (reason: Unacceptable | ServiceError) => void;
}

/**
 * Gives what may be signatures, as long as they are asked for: bundles first, then what Cosign v2
 * has left.
 *
 * @param source Where to look.
 * @param options What for.
 * @returns Signatures that nobody has verified.
 */
export async function* findSignatures(
  source: SignatureSource,
  options: FindOptions,
): AsyncGenerator<FoundSignature> {
  const { device, digest } = options;
  const referrers = await attempt(options, () => source.listReferrers(device, digest)) ?? [];
  for (const { digest, size } of referrers.toSorted(byPromise).slice(0, SIGNATURES_LIMIT)) {
    if (size <= SIGNATURE_LIMIT_BYTES) yield* inManifest(source, options, digest);
    else options.onSkipped(new Unacceptable(`a referrer of ${size} bytes`));
  }
  // A digest of SHA-512 would be longer than a tag may be.
  if (digest.startsWith("sha256:")) {
    yield* inManifest(source, options, `${digest.replace(":", "-")}.sig`);
  }
}

/** The type is a hint of whoever pushed it: it decides who goes first where there are too many. */
function byPromise(one: Descriptor, other: Descriptor): number {
  return rank(one) - rank(other);
}

function rank({ artifactType }: Descriptor): number {
  return artifactType?.startsWith(BUNDLE_MEDIA_TYPE_PREFIX) ? 0 : 1;
}

async function* inManifest(
  source: SignatureSource,
  options: FindOptions,
  reference: string,
): AsyncGenerator<FoundSignature> {
  const { device } = options;
  const manifest = await attempt(options, async () => {
    const delivered = await source.fetchManifest(device, reference);
    return readLayers(delivered, reference);
  });
  for (const layer of manifest?.slice(0, SIGNATURES_LIMIT) ?? []) {
    const { mediaType, annotations } = layer;
    const kind = kindOf(mediaType);
    if (kind === undefined) continue;
    const bytes = await attempt(options, () => readBlob(source, device, layer));
    if (bytes !== undefined) yield { kind, bytes, annotations: annotations ?? {} };
  }
}

function kindOf(mediaType: string): FoundSignature["kind"] | undefined {
  if (mediaType === SIMPLE_SIGNING_MEDIA_TYPE) return "simple";
  return mediaType.startsWith(BUNDLE_MEDIA_TYPE_PREFIX) ? "bundle" : undefined;
}

function readLayers(
  { bytes, mediaType, claimedDigest }: DeliveredManifest,
  reference: string,
): readonly Descriptor[] {
  const wanted = reference.includes(":") ? reference as Digest : claimedDigest;
  if (wanted !== undefined && digestOf(bytes, wanted) !== wanted) {
    throw new Unacceptable(`a manifest that is not ${wanted}`);
  }
  const content = parseManifest(bytes, mediaType);
  if (content.kind === "manifest") return content.layers;
  throw new Unacceptable("an index where a signature's manifest should be");
}

async function readBlob(
  source: SignatureSource,
  device: string,
  blob: Descriptor,
): Promise<Uint8Array> {
  const { size, digest } = blob;
  if (size > SIGNATURE_LIMIT_BYTES) throw new Unacceptable(`a signature of ${size} bytes`);
  const bytes = new Uint8Array(size);
  let length = 0;
  // Leaving the loop lets go of the stream.
  for await (const chunk of await source.openBlob(device, blob)) {
    if (length + chunk.length > size) throw new Unacceptable(`a blob of more than ${size} bytes`);
    bytes.set(chunk, length);
    length += chunk.length;
  }
  const isWhole = length === size && digestOf(bytes, digest) === digest;
  if (isWhole) return bytes;
  throw new Unacceptable(`a blob that is not ${digest}`);
}

/** One that is broken does not spoil the others; one that is not there is no matter at all. */
async function attempt<T>(
  { onSkipped }: FindOptions,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isServiceError(error, "firmware-unknown")) return undefined;
    if (!(error instanceof Unacceptable || isServiceError(error))) throw error;
    onSkipped(error);
    return undefined;
  }
}
