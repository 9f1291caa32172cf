/**
 * Manifests as plain data: what a registry keeps, sound or not.
 *
 * @module
 */

import { createHash } from "node:crypto";

/** Bytes that own their memory, as `Response` and `fetch` bodies ask for. */
export type Bytes = Uint8Array<ArrayBuffer>;

/**
 * What one thing in a registry says of another.
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md
 */
export interface Descriptor {
  /** What the content is. */
  readonly mediaType: string;
  /** `<algorithm>:<hex>` of the content. */
  readonly digest: string;
  /** Length of the content in bytes. */
  readonly size: number;
  /** Free notes, such as `org.opencontainers.image.title`. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** The content itself, in base64. */
  readonly data?: string;
  /** What the content is about, where it is a manifest. */
  readonly artifactType?: string;
  /** Where the content runs, where it is an image. */
  readonly platform?: Platform;
}

/** The operating system and processor that an image is for. */
export interface Platform {
  /** As Go names it, such as `linux`. */
  readonly os: string;
  /** As Go names it, such as `arm64`. */
  readonly architecture: string;
  /** Of the architecture, such as `v7`. */
  readonly variant?: string;
}

/** Everything that one push brings to a registry, complete in itself. */
export interface Artifact {
  /** Of the manifest: what the registry answers as its Content-Type. */
  readonly mediaType: string;
  /** The exact bytes that `digest` is of; never to be serialised again. */
  readonly manifest: Bytes;
  /** `sha256:<hex>` of `manifest`. */
  readonly digest: string;
  /** Config and layers, by the digest that the manifest claims for them. */
  readonly blobs: ReadonlyMap<string, Bytes>;
  /** The manifests that an index names. */
  readonly children?: readonly Artifact[];
}

/** The media types that the builders below write. */
export const MEDIA_TYPES = {
  emptyConfig: "application/vnd.oci.empty.v1+json",
  inToto: "application/vnd.in-toto+json",
  oci: {
    index: "application/vnd.oci.image.index.v1+json",
    manifest: "application/vnd.oci.image.manifest.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
    layer: {
      none: "application/vnd.oci.image.layer.v1.tar",
      gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
      zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
    },
  },
  docker: {
    index: "application/vnd.docker.distribution.manifest.list.v2+json",
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    layer: {
      none: "application/vnd.docker.image.rootfs.diff.tar",
      gzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
      zstd: "application/vnd.docker.image.rootfs.diff.tar.zstd",
    },
  },
} as const;

const EMPTY_CONFIG: BlobInput = {
  mediaType: MEDIA_TYPES.emptyConfig,
  bytes: utf8("{}"),
  inline: true,
};

/** One blob of a manifest, and the lies that the manifest tells about it. */
export interface BlobInput {
  /** As the descriptor states it. */
  readonly mediaType: string;
  /** What the registry really serves. */
  readonly bytes: Uint8Array;
  /** As the descriptor carries them. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Repeats the bytes in the descriptor's `data`. @default false */
  readonly inline?: boolean;
  /** Leaves the blob out of the registry. @default false */
  readonly missing?: boolean;
  /**
   * Members to claim instead of the true ones. With a false `digest` the true bytes are stored
   * under the false name, as in a registry whose disk has rotted.
   */
  readonly claim?: Partial<Descriptor>;
}

/** What {@linkcode manifestOf} puts in an image manifest. */
export interface ManifestOptions {
  /** Of the manifest itself. @default the OCI image manifest */
  readonly mediaType?: string;
  /** Described by `config`. @default the empty config, inline */
  readonly config?: BlobInput;
  /** Described by `layers`. @default none */
  readonly layers?: readonly BlobInput[];
  /** What the artifact is. @default absent */
  readonly artifactType?: string;
  /** The manifest that this one is about: a signature names the signed. @default absent */
  readonly subject?: Descriptor;
  /** Of the manifest. @default absent */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Members that overwrite any other, also with nonsense; `undefined` removes one. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/**
 * Makes an image manifest and its blobs out of parts, none of which need be sound.
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md
 */
export function manifestOf(options: ManifestOptions): Artifact {
  const { mediaType = MEDIA_TYPES.oci.manifest, config = EMPTY_CONFIG, layers = [] } = options;
  const blobs = new Map<string, Bytes>();
  const describe = (blob: BlobInput): Descriptor => {
    const descriptor = descriptorOf(blob);
    if (!blob.missing) blobs.set(descriptor.digest, new Uint8Array(blob.bytes));
    return descriptor;
  };
  return seal(mediaType, blobs, {
    schemaVersion: 2,
    mediaType,
    artifactType: options.artifactType,
    config: describe(config),
    layers: layers.map(describe),
    subject: options.subject,
    annotations: options.annotations,
    ...options.members,
  });
}

/** Describes a manifest as an index, a `subject` or a layout's `index.json` would. */
export function describeArtifact(artifact: Artifact): Descriptor {
  return {
    mediaType: artifact.mediaType,
    digest: artifact.digest,
    size: artifact.manifest.length,
  };
}

/** Lists an artifact and everything below it, each before what refers to it. */
export function withChildren(artifact: Artifact): readonly Artifact[] {
  return [...(artifact.children ?? []).flatMap(withChildren), artifact];
}

/** Names bytes as a registry does: the algorithm, a colon, lower-case hex. */
export function digestOf(bytes: Uint8Array, algorithm: "sha256" | "sha512" = "sha256"): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

function descriptorOf(blob: BlobInput): Descriptor {
  return {
    mediaType: blob.mediaType,
    digest: digestOf(blob.bytes),
    size: blob.bytes.length,
    ...(blob.inline && { data: btoa(String.fromCharCode(...blob.bytes)) }),
    ...(blob.annotations && { annotations: blob.annotations }),
    ...blob.claim,
  };
}

/** Makes an artifact of a manifest's members: its bytes are fixed here, once. */
export function seal(
  mediaType: string,
  blobs: ReadonlyMap<string, Bytes>,
  members: Readonly<Record<string, unknown>>,
): Artifact {
  const manifest = utf8(JSON.stringify(members));
  return { mediaType, manifest, digest: digestOf(manifest), blobs };
}

/** Encodes text. */
export function utf8(text: string): Bytes {
  return new TextEncoder().encode(text);
}
