/**
 * What `oras push`, `docker build` and BuildKit leave in a registry.
 *
 * @module
 */

import { gzipSync, zstdCompressSync } from "node:zlib";
import { packTar, type TarEntry } from "modern-tar";
import {
  type Artifact,
  type BlobInput,
  type Bytes,
  describeArtifact,
  type Descriptor,
  digestOf,
  manifestOf,
  MEDIA_TYPES,
  type Platform,
  seal,
  utf8,
} from "./manifest.ts";

/** Fixed, so that the same call makes the same digest on every day. */
const CREATED = "2026-01-01T00:00:00Z";
/** How {@linkcode orasArtifact} departs from `oras push repo:tag firmware.bin`. */
export interface OrasOptions {
  /** File name as typed after `oras push`; `null` leaves the annotation out. @default "firmware.bin" */
  readonly title?: string | null;
  /** What follows the file name's colon. @default the tar layer type, as oras has it, though raw */
  readonly layerMediaType?: string;
  /** `--artifact-type`. @default "application/vnd.unknown.artifact.v1" */
  readonly artifactType?: string;
  /** `--annotation`, beside the `created` that oras always writes. @default none */
  readonly annotations?: Readonly<Record<string, string>>;
  /** `--config`. @default the empty config, inline */
  readonly config?: BlobInput;
  /** Files pushed behind the first, by title. @default none */
  readonly moreFiles?: Readonly<Record<string, Uint8Array>>;
}

/** Makes what `oras push repo:tag firmware.bin` makes: one raw layer with a title. */
export function orasArtifact(bytes: Uint8Array, options: OrasOptions = {}): Artifact {
  const {
    title = "firmware.bin",
    layerMediaType: mediaType = MEDIA_TYPES.oci.layer.none,
    artifactType = "application/vnd.unknown.artifact.v1",
    moreFiles = {},
  } = options;
  const layer = (title: string | null, bytes: Uint8Array): BlobInput =>
    title === null ? { mediaType, bytes } : { mediaType, bytes, annotations: titled(title) };
  return manifestOf({
    artifactType,
    layers: [
      layer(title, bytes),
      ...Object.entries(moreFiles).map(([title, bytes]) => layer(title, bytes)),
    ],
    annotations: { "org.opencontainers.image.created": CREATED, ...options.annotations },
    ...(options.config && { config: options.config }),
  });
}

/** Files of a tar layer by path, in the order in which they are written. */
export type Files = Readonly<Record<string, Uint8Array>>;

/** Makes what `oras push repo:tag folder` makes: a gzipped tar that asks to be unpacked. */
export async function orasDirectory(files: Files, title = "firmware"): Promise<Artifact> {
  const tar = await tarOf(
    Object.fromEntries(Object.entries(files).map(([path, bytes]) => [`${title}/${path}`, bytes])),
  );
  return manifestOf({
    artifactType: "application/vnd.unknown.artifact.v1",
    layers: [{
      mediaType: MEDIA_TYPES.oci.layer.gzip,
      bytes: gzipSync(tar),
      annotations: {
        ...titled(title),
        "io.deis.oras.content.digest": digestOf(tar),
        "io.deis.oras.content.unpack": "true",
      },
    }],
    annotations: { "org.opencontainers.image.created": CREATED },
  });
}

/** How {@linkcode dockerImage} writes its layers. */
export interface DockerOptions {
  /** Of every layer. @default "gzip" */
  readonly compression?: "none" | "gzip" | "zstd";
  /** Whose names the media types are: BuildKit's or the classic builder's. @default "oci" */
  readonly mediaTypes?: "oci" | "docker";
  /** Entries behind the files of the last layer, such as links and devices. @default none */
  readonly extraEntries?: readonly TarEntry[];
  /** As the image config states it. @default linux/amd64 */
  readonly platform?: Platform;
}

/**
 * Makes what `docker build` makes of `FROM scratch` and one `COPY` for each layer.
 *
 * @param layers - Files of the only layer, or of each, lowest first; `.wh.NAME` deletes `NAME`
 */
export async function dockerImage(
  layers: Files | readonly Files[],
  options: DockerOptions = {},
): Promise<Artifact> {
  const { compression = "gzip", mediaTypes = "oci", extraEntries = [] } = options;
  const types = MEDIA_TYPES[mediaTypes];
  const compress = { none: (tar: Bytes) => tar, gzip: gzipSync, zstd: zstdCompressSync };
  const contents: readonly Files[] = isList(layers) ? layers : [layers];
  const tars = await Promise.all(
    contents.map((files, at) => tarOf(files, at === contents.length - 1 ? extraEntries : [])),
  );
  const config = {
    ...(options.platform ?? { architecture: "amd64", os: "linux" }),
    created: CREATED,
    config: {},
    rootfs: { type: "layers", diff_ids: tars.map((tar) => digestOf(tar)) },
    history: tars.map(() => ({ created: CREATED, created_by: "COPY . / # buildkit" })),
  };
  return manifestOf({
    mediaType: types.manifest,
    config: { mediaType: types.config, bytes: utf8(JSON.stringify(config)) },
    layers: tars.map((tar) => ({
      mediaType: types.layer[compression],
      bytes: compress[compression](tar),
    })),
  });
}

/** A manifest of an index together with what the index says of it. */
export interface IndexEntry {
  /** The manifest itself. */
  readonly artifact: Artifact;
  /** Members of its descriptor beside media type, digest and size, or instead of them. */
  readonly claim?: Partial<Descriptor>;
}

/** How {@linkcode imageIndex} describes its children. */
export interface IndexOptions {
  /** Whose names the media types are. @default "oci" */
  readonly mediaTypes?: "oci" | "docker";
  /** Adds BuildKit's provenance of the first child, and says where. @default false */
  readonly attestation?: boolean | "first" | "last";
  /** Of the index. @default absent */
  readonly annotations?: Readonly<Record<string, string>>;
  /** What the artifacts are, together. @default absent */
  readonly artifactType?: string;
}

/**
 * Makes an index of manifests, or of further indexes. A child that is an image is listed with the
 * platform of its config, any other without one, as BuildKit and `oras manifest index create` do.
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md
 */
export function imageIndex(
  children: readonly (Artifact | IndexEntry)[],
  options: IndexOptions = {},
): Artifact {
  const mediaType = MEDIA_TYPES[options.mediaTypes ?? "oci"].index;
  const entries = children.map((child): IndexEntry =>
    "artifact" in child ? child : { artifact: child, claim: platformOf(child) }
  );
  const subject = entries[0];
  if (options.attestation && subject) {
    const attestation = attestationOf(subject.artifact);
    if (options.attestation === "first") entries.unshift(attestation);
    else entries.push(attestation);
  }
  const index = seal(mediaType, new Map(), {
    schemaVersion: 2,
    mediaType,
    artifactType: options.artifactType,
    manifests: entries.map(({ artifact, claim }) => ({ ...describeArtifact(artifact), ...claim })),
    annotations: options.annotations,
  });
  return { ...index, children: entries.map(({ artifact }) => artifact) };
}

/** Writes a tar as BuildKit does: paths without a leading slash, folders before their files. */
function tarOf(files: Files, extraEntries: readonly TarEntry[] = []): Promise<Bytes> {
  const mtime = new Date(CREATED);
  const folders = new Set(Object.keys(files).flatMap(foldersOf));
  return packTar([
    ...[...folders].map((name): TarEntry => ({
      header: { name, size: 0, type: "directory", mtime },
    })),
    ...Object.entries(files).map(([name, body]): TarEntry => ({
      header: { name, size: body.length, type: "file", mtime },
      body,
    })),
    ...extraEntries,
  ]);
}

function foldersOf(path: string): readonly string[] {
  const names = path.split("/").slice(0, -1);
  return names.map((_, depth) => `${names.slice(0, depth + 1).join("/")}/`)
    .filter((folder) => folder !== "./" && folder !== "/");
}

function attestationOf(subject: Artifact): IndexEntry {
  const statement = {
    _type: "https://in-toto.io/Statement/v0.1",
    predicateType: "https://slsa.dev/provenance/v0.2",
    subject: [{ name: "firmware", digest: { sha256: subject.digest.slice("sha256:".length) } }],
    predicate: {},
  };
  const config = { architecture: "unknown", os: "unknown", config: {}, rootfs: {} };
  return {
    artifact: manifestOf({
      config: { mediaType: MEDIA_TYPES.oci.config, bytes: utf8(JSON.stringify(config)) },
      layers: [{
        mediaType: MEDIA_TYPES.inToto,
        bytes: utf8(JSON.stringify(statement)),
        annotations: { "in-toto.io/predicate-type": statement.predicateType },
      }],
    }),
    claim: {
      platform: { architecture: "unknown", os: "unknown" },
      annotations: {
        "vnd.docker.reference.digest": subject.digest,
        "vnd.docker.reference.type": "attestation-manifest",
      },
    },
  };
}

function platformOf(artifact: Artifact): { platform?: Platform } {
  const { config } = JSON.parse(new TextDecoder().decode(artifact.manifest));
  const blob = artifact.blobs.get(config?.digest);
  const isImage = config?.mediaType === MEDIA_TYPES.oci.config ||
    config?.mediaType === MEDIA_TYPES.docker.config;
  if (!blob || !isImage) return {};
  const { os, architecture, variant } = JSON.parse(new TextDecoder().decode(blob));
  return { platform: { architecture, os, ...(variant && { variant }) } };
}

function titled(title: string): Readonly<Record<string, string>> {
  return { "org.opencontainers.image.title": title };
}

function isList(layers: Files | readonly Files[]): layers is readonly Files[] {
  return Array.isArray(layers);
}
