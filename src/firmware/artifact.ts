/**
 * From a tag or digest to the one layer that is the firmware, each step bound by a digest.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { type Digest, digestOf, isDigest } from "../digest.ts";
import { ServiceError } from "../errors.ts";
import {
  type Descriptor,
  IMAGE_CONFIG_MEDIA_TYPES,
  type ImageIndex,
  type ImageManifest,
  MANIFEST_LIMIT_BYTES,
  MANIFEST_MEDIA_TYPES,
  parseManifest,
  TITLE_ANNOTATION,
  UNPACK_ANNOTATION,
} from "../oci.ts";
import { asQuery, formatSelection, partOf, type Query, type Question } from "../selection.ts";
import { keptAnnotations } from "./annotations.ts";
import { chipAnnotation } from "./chip.ts";
import type { FirmwareDocument, FirmwareSource } from "./firmware.ts";
import { chooseEntry, chooseLayer, fileTitles, isForHardware } from "./parts.ts";
import { unmatched } from "./selection.ts";

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
  /** The hardware that was asked for, in a text. */
  readonly part: string;
  /** The blob that holds the firmware. */
  readonly layer: Descriptor;
  /** How it holds it. */
  readonly form: LayerForm;
  /** What its author says of it, bounded. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Titles of the files that the manifest holds, as many as are kept. */
  readonly files: readonly string[];
}

/** Where manifests are. */
export type ManifestSource = Pick<FirmwareSource, "fetchManifest">;

/**
 * Finds the firmware of an artifact.
 *
 * Of an index the first manifest is taken, attestations aside, and of several layers the first one,
 * unless others are asked for.
 *
 * @param source Where to look.
 * @param question Whose repository, and which hardware and file.
 * @param reference A tag, or the digest that must be found.
 * @returns The artifact; manifests on the way were verified.
 * @throws {ServiceError} `artifact-invalid`, `selection-unmatched`, or what the source throws.
 */
export async function resolveArtifact(
  source: ManifestSource,
  question: Question,
  reference: string,
): Promise<Artifact> {
  const asked = asQuery(question);
  const top = await fetchVerified(source, asked.device, reference);
  const { content } = top;
  if (content.kind === "manifest") {
    if (!isForHardware(content, asked.selection)) throw unmatched(asked, "no index of platforms");
    return describe(content, [top], asked);
  }
  const entry = chooseEntry(content.manifests, asked.selection);
  if (entry === undefined) throw noEntry(asked);
  const child = await fetchChild(source, asked.device, entry);
  const artifact = describe(child.content, [top, child], asked);
  return {
    ...artifact,
    annotations: { ...chipAnnotation(entry.platform), ...artifact.annotations },
  };
}

function describe(
  manifest: ImageManifest,
  documents: readonly Verified[],
  query: Query,
): Artifact {
  const [top] = documents;
  if (top === undefined) throw new TypeError("An artifact has at least one document");
  const layer = findLayer(manifest, query);
  return {
    documents: [...documents, ...inlineConfig(manifest)],
    manifests: documents,
    digest: top.digest,
    part: formatSelection({ ...partOf(query.selection), file: undefined }),
    layer,
    form: layerForm(manifest, layer),
    annotations: annotationsOf(layer, documents),
    files: fileTitles(manifest.layers),
  };
}

function noEntry(query: Query): ServiceError {
  const { variant, platform } = query.selection;
  return (variant ?? platform) === undefined
    ? new ServiceError("artifact-invalid", "Image index holds no manifest")
    : unmatched(query, "no such entry in the index");
}

function findLayer({ layers }: ImageManifest, query: Query): Descriptor {
  const layer = chooseLayer(layers, query.selection);
  if (layer === undefined) {
    throw layers.length === 0
      ? new ServiceError("artifact-invalid", "Manifest has no layers")
      : unmatched(query, "no layer of that title");
  }
  if (layer.size === 0) {
    throw new ServiceError("artifact-invalid", `Layer ${layer.digest} is empty`);
  }
  return layer;
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
  source: ManifestSource,
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
  source: ManifestSource,
  device: string,
  child: Descriptor,
): Promise<Verified<ImageManifest>> {
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

/**
 * Media types do not tell: `oras push` calls a plain file `…layer.v1.tar`. What ORAS adds by
 * itself, and a config that only images have, do.
 */
function layerForm({ config }: ImageManifest, { annotations }: Descriptor): LayerForm {
  if (annotations?.[UNPACK_ANNOTATION] === "true") return "archive";
  if (annotations?.[TITLE_ANNOTATION] !== undefined) return "raw";
  return IMAGE_CONFIG_MEDIA_TYPES.includes(config.mediaType) ? "archive" : "sniff";
}
