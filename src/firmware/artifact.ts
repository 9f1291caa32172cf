/**
 * From a tag or digest to the one layer that is the firmware, each step bound by a digest.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { ServiceError } from "../errors.ts";
import {
  type Descriptor,
  type Digest,
  digestOf,
  DOCKER_REFERENCE_TYPE_ANNOTATION,
  IMAGE_CONFIG_MEDIA_TYPES,
  type ImageIndex,
  type ImageManifest,
  isDigest,
  MANIFEST_LIMIT_BYTES,
  MANIFEST_MEDIA_TYPES,
  parseManifest,
  TITLE_ANNOTATION,
  UNPACK_ANNOTATION,
} from "../oci.ts";
import { keptAnnotations } from "./annotations.ts";
import { chipAnnotation } from "./chip.ts";
import type { FirmwareDocument, FirmwareSource } from "./firmware.ts";

/**
 * What a layer's bytes are: the firmware itself (`raw`), an archive that holds it (`archive`), or
 * whichever of the two its first bytes say (`sniff`).
 */
export type LayerForm = "raw" | "archive" | "sniff";

/** Where an artifact's firmware is. */
export interface Artifact {
  /** Manifest, or index and manifest; then the config where the manifest holds it. All verified. */
  readonly documents: readonly FirmwareDocument[];
  /** Of these the index, where there is one, and the manifest. */
  readonly manifests: readonly FirmwareDocument[];
  /** Digest of the manifest, or of the index where the reference names one. */
  readonly digest: Digest;
  /** The blob that holds the firmware. */
  readonly layer: Descriptor;
  /** How it holds it. */
  readonly form: LayerForm;
  /** What its author says of it, bounded. */
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * Finds the firmware of an artifact.
 *
 * Of an index the first manifest is taken, attestations aside. Of several layers the first one is
 * taken.
 *
 * @param source Where to look.
 * @param device Whose repository.
 * @param reference A tag, or the digest that must be found.
 * @returns The artifact; manifests on the way were verified.
 * @throws {ServiceError} `artifact-invalid`, or what the source throws.
 */
export async function resolveArtifact(
  source: FirmwareSource,
  device: string,
  reference: string,
): Promise<Artifact> {
  const top = await fetchVerified(source, device, reference);
  const { content } = top;
  if (content.kind === "manifest") return describe(content, [top]);
  const child = await fetchChild(source, device, content);
  const { platform } = content.manifests.find(({ digest }) => digest === child.digest) ?? {};
  return describe(child.content, [top, child], platform);
}

function describe(
  manifest: ImageManifest,
  documents: readonly Verified[],
  platform?: Descriptor["platform"],
): Artifact {
  const [top] = documents;
  if (top === undefined) throw new TypeError("An artifact has at least one document");
  const layer = chooseLayer(manifest);
  return {
    documents: [...documents, ...inlineConfig(manifest)],
    manifests: documents,
    digest: top.digest,
    layer,
    form: layerForm(manifest, layer),
    annotations: { ...chipAnnotation(platform), ...annotationsOf(layer, documents) },
  };
}

/** The nearer to the bytes, the more it is meant of them; but a layer's title is a file's name. */
function annotationsOf(
  { annotations }: Descriptor,
  documents: readonly Verified[],
): Readonly<Record<string, string>> {
  const { [TITLE_ANNOTATION]: _fileName, ...ofLayer } = annotations ?? {};
  return keptAnnotations(...documents.map(({ content }) => content.annotations), ofLayer);
}

/** ORAS's empty config is in its own descriptor. What is not right there is no part of anything. */
function inlineConfig(
  { config: { digest, mediaType, size, data } }: ImageManifest,
): FirmwareDocument[] {
  if (data === undefined) return [];
  const bytes = Buffer.from(data, "base64");
  return bytes.length === size && digestOf(bytes, digest) === digest
    ? [{ digest, mediaType, bytes }]
    : [];
}

interface Verified<C = ImageManifest | ImageIndex> extends FirmwareDocument {
  readonly content: C;
}

async function fetchVerified(
  source: FirmwareSource,
  device: string,
  reference: string,
): Promise<Verified> {
  const { bytes, mediaType, claimedDigest } = await source.fetchManifest(device, reference);
  const wanted = isDigest(reference) ? reference : claimedDigest;
  const digest = digestOf(bytes, wanted);
  if (wanted !== undefined && digest !== wanted) {
    throw new ServiceError("artifact-invalid", `Manifest ${wanted} has the digest ${digest}`);
  }
  const content = parseManifest(bytes, mediaType);
  return { digest, bytes, mediaType: mediaType ?? mediaTypeOf(content), content };
}

async function fetchChild(
  source: FirmwareSource,
  device: string,
  index: ImageIndex,
): Promise<Verified<ImageManifest>> {
  const child = index.manifests.find((entry) => !isAttestation(entry));
  if (child === undefined) {
    throw new ServiceError("artifact-invalid", "Image index holds no manifest");
  }
  if (child.size > MANIFEST_LIMIT_BYTES) {
    throw new ServiceError("artifact-invalid", `Manifest ${child.digest} claims to be too large`);
  }
  const { content, ...document } = await fetchVerified(source, device, child.digest);
  if (content.kind === "index") {
    throw new ServiceError("artifact-invalid", "Image index in an image index is not supported");
  }
  return { ...document, content };
}

function mediaTypeOf({ kind }: ImageManifest | ImageIndex): string {
  return kind === "index" ? MANIFEST_MEDIA_TYPES.ociIndex : MANIFEST_MEDIA_TYPES.ociManifest;
}

/** BuildKit adds these to say how an image was built: they are no images. */
function isAttestation({ platform, annotations }: Descriptor): boolean {
  return (platform?.os === "unknown" && platform.architecture === "unknown") ||
    annotations?.[DOCKER_REFERENCE_TYPE_ANNOTATION] === "attestation-manifest";
}

function chooseLayer({ layers }: ImageManifest): Descriptor {
  const [layer] = layers;
  if (layer === undefined) {
    throw new ServiceError("artifact-invalid", "Manifest has no layers");
  }
  if (layer.size === 0) {
    throw new ServiceError("artifact-invalid", `Layer ${layer.digest} is empty`);
  }
  return layer;
}

/**
 * Media types do not tell: `oras push` calls a plain file `…layer.v1.tar`. What ORAS adds by
 * itself, and a config that only images have, do.
 */
function layerForm({ config }: ImageManifest, { annotations }: Descriptor): LayerForm {
  if (annotations?.[UNPACK_ANNOTATION] === "true") return "archive";
  if (annotations?.[TITLE_ANNOTATION] !== undefined) return "raw";
  return IMAGE_CONFIG_MEDIA_TYPES.includes(config.mediaType) ? "archive" : "sniff";
}
