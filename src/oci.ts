/**
 * The OCI image-spec's documents as far as firmware needs them: descriptors, manifests, indexes.
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md
 * @module
 */

import * as v from "valibot";
import { type Digest, digestSchema } from "./digest.ts";
import { ServiceError } from "./errors.ts";
import { FIRST_ISSUE } from "./schema.ts";

/** Media types of manifests and indexes, OCI's and Docker's. */
export const MANIFEST_MEDIA_TYPES = {
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
} as const;

/** Media types of an image's configuration: its layers are file system layers. */
export const IMAGE_CONFIG_MEDIA_TYPES: readonly string[] = [
  "application/vnd.oci.image.config.v1+json",
  "application/vnd.docker.container.image.v1+json",
];

/** Annotation of a descriptor in an image layout's `index.json`: its tag (image-spec, annotations.md). */
export const REF_NAME_ANNOTATION = "org.opencontainers.image.ref.name";

/** Annotation of a layer: the file name that it was made from (image-spec, annotations.md). */
export const TITLE_ANNOTATION = "org.opencontainers.image.title";

/** Annotation: when it was made, by RFC 3339 (image-spec, annotations.md). */
export const CREATED_ANNOTATION = "org.opencontainers.image.created";

/** Annotation of a layer that ORAS made out of a folder: the layer is an archive of it. */
export const UNPACK_ANNOTATION = "io.deis.oras.content.unpack";

/** Annotation by which BuildKit marks an index entry that is no image but says something of one. */
export const DOCKER_REFERENCE_TYPE_ANNOTATION = "vnd.docker.reference.type";

/**
 * Annotation of ours: the family of the chip that a firmware is for, such as `ESP8266`, by the names
 * that ESPHome and ESP Web Tools have for it.
 */
export const CHIP_FAMILY_ANNOTATION = "dev.otaflux.chip-family";

/** A manifest larger than this is refused; registries must take 4 MiB (distribution-spec, push). */
export const MANIFEST_LIMIT_BYTES = 4 * 1024 * 1024;

/**
 * The tag under which a registry without the referrers API keeps the list of what refers to a
 * manifest (distribution-spec, "Referrers Tag Schema").
 *
 * @param digest Of the manifest.
 * @returns A tag.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(referrersTag(`sha256:${"0".repeat(64)}`), `sha256-${"0".repeat(64)}`);
 * ```
 */
export function referrersTag(digest: Digest): string {
  const [algorithm = "", hex = ""] = digest.split(":");
  return `${algorithm}-${hex.slice(0, 64)}`;
}

/** Points to content by digest and size (image-spec, descriptor.md). */
export interface Descriptor {
  /** Empty where the document does not say. */
  readonly mediaType: string;
  /** What the content hashes to. */
  readonly digest: Digest;
  /** Length in bytes. */
  readonly size: number;
  /** The content itself in base64, where it is small and its author has put it in. */
  readonly data?: string | undefined;
  /** What the content is about, where it is a manifest and somebody says so. */
  readonly artifactType?: string | undefined;
  /** What else its author says. */
  readonly annotations?: Readonly<Record<string, string>> | null | undefined;
  /** Which machines an index's entry is for. */
  readonly platform?:
    | {
      readonly architecture?: string | undefined;
      readonly os?: string | undefined;
      readonly variant?: string | undefined;
      readonly "os.features"?: readonly string[] | null | undefined;
    }
    | null
    | undefined;
}

const descriptorSchema: v.GenericSchema<unknown, Descriptor> = v.object({
  mediaType: v.optional(v.string(), ""),
  digest: digestSchema,
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  data: v.fallback(v.optional(v.string()), undefined),
  artifactType: v.fallback(v.optional(v.string()), undefined),
  annotations: v.optional(v.nullable(v.record(v.string(), v.string()))),
  platform: v.optional(v.nullable(v.object({
    architecture: v.optional(v.string()),
    os: v.optional(v.string()),
    variant: v.optional(v.string()),
    "os.features": v.fallback(v.optional(v.nullable(v.array(v.string()))), undefined),
  }))),
});

/** What an author says is no reason to refuse a firmware: what is no annotation is none. */
const annotationsSchema = v.fallback(
  v.optional(v.nullable(v.record(v.string(), v.string()))),
  undefined,
);

const manifestSchema = v.object({
  mediaType: v.optional(v.string()),
  config: descriptorSchema,
  layers: v.optional(v.nullable(v.array(descriptorSchema))),
  annotations: annotationsSchema,
});

const indexSchema = v.object({
  mediaType: v.optional(v.string()),
  manifests: v.array(descriptorSchema),
  annotations: annotationsSchema,
});

const referrersSchema = v.object({ manifests: v.array(v.unknown()) });

/** A manifest or index as somebody delivered it: not verified. */
export interface DeliveredManifest {
  /** The document, byte for byte. */
  readonly bytes: Uint8Array;
  /** The media type that the deliverer said. */
  readonly mediaType: string | undefined;
  /** The digest that the deliverer said. */
  readonly claimedDigest: Digest | undefined;
}

/** An image manifest: one artifact (image-spec, manifest.md). */
export interface ImageManifest {
  /** Tells it from an index. */
  readonly kind: "manifest";
  /** What kind of artifact it is. */
  readonly config: Descriptor;
  /** Its content, in order. */
  readonly layers: readonly Descriptor[];
  /** What its author says of it. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** An image index: several manifests under one name (image-spec, image-index.md). */
export interface ImageIndex {
  /** Tells it from a manifest. */
  readonly kind: "index";
  /** Its manifests, in order. */
  readonly manifests: readonly Descriptor[];
  /** What its author says of it. */
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * Reads a manifest or an index, OCI's or Docker's.
 *
 * @param bytes The document as it came, already checked against its digest.
 * @param mediaType The type that whoever delivered it said, where it did.
 * @returns What it is.
 * @throws {ServiceError} `artifact-invalid` where it is neither.
 */
export function parseManifest(
  bytes: Uint8Array,
  mediaType: string | undefined,
): ImageManifest | ImageIndex {
  const document = parseJson(bytes);
  // The document's own word is covered by the digest, the deliverer's is not.
  const type = typeof document.mediaType === "string" ? document.mediaType : mediaType;
  const isIndex = type === MANIFEST_MEDIA_TYPES.ociIndex ||
    type === MANIFEST_MEDIA_TYPES.dockerList ||
    (!isManifestType(type) && "manifests" in document);
  if (isIndex) {
    const index = check(indexSchema, document, "image index");
    return { kind: "index", manifests: index.manifests, annotations: index.annotations ?? {} };
  }
  if (document.schemaVersion === 1) {
    throw new ServiceError("artifact-invalid", "Manifest is of Docker's schema 1, want schema 2");
  }
  const manifest = check(manifestSchema, document, "image manifest");
  const { config, layers, annotations } = manifest;
  return { kind: "manifest", config, layers: layers ?? [], annotations: annotations ?? {} };
}

/**
 * Reads the `index.json` of an image layout, which is an image index (image-spec, image-layout.md).
 *
 * @param bytes The file.
 * @returns The index.
 * @throws {ServiceError} `artifact-invalid` where it is none.
 */
export function parseIndex(bytes: Uint8Array): ImageIndex {
  const { manifests, annotations } = check(indexSchema, parseJson(bytes), "image index");
  return { kind: "index", manifests, annotations: annotations ?? {} };
}

/**
 * Reads a list of referrers, which is an image index (distribution-spec, "Listing Referrers"). Who
 * may push may add to it: entries that make no sense do not spoil the others.
 *
 * @param bytes The list.
 * @returns The entries that make sense.
 * @throws {ServiceError} `artifact-invalid` where it is none.
 */
export function parseReferrers(bytes: Uint8Array): readonly Descriptor[] {
  const { manifests } = check(referrersSchema, parseJson(bytes), "list of referrers");
  return manifests.flatMap((entry) => {
    const result = v.safeParse(descriptorSchema, entry, FIRST_ISSUE);
    return result.success ? [result.output] : [];
  });
}

function isManifestType(type: string | undefined): boolean {
  return type === MANIFEST_MEDIA_TYPES.ociManifest || type === MANIFEST_MEDIA_TYPES.dockerManifest;
}

function parseJson(bytes: Uint8Array): Record<string, unknown> {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ServiceError("artifact-invalid", "Manifest is not JSON", { cause });
  }
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    throw new ServiceError("artifact-invalid", "Manifest is not a JSON object");
  }
  return document as Record<string, unknown>;
}

function check<S extends v.GenericSchema>(
  schema: S,
  document: unknown,
  what: string,
): v.InferOutput<S> {
  const result = v.safeParse(schema, document, FIRST_ISSUE);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const at = v.getDotPath(issue) ?? "the document";
  throw new ServiceError("artifact-invalid", `Document is no ${what}: ${at} is wrong`);
}
