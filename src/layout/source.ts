/**
 * Firmware from OCI image layouts: folders as `oras push --oci-layout` and `skopeo copy … oci:…`
 * write them, one per device. Fits the port that the domain asks for (`FirmwareSource`).
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
 * @module
 */

import { type Digest, isDigest } from "../digest.ts";
import { ServiceError } from "../errors.ts";
import { isMissing } from "../files.ts";
import {
  type DeliveredManifest,
  type Descriptor,
  type ImageIndex,
  MANIFEST_LIMIT_BYTES,
  parseIndex,
  parseReferrers,
  REF_NAME_ANNOTATION,
  referrersTag,
} from "../oci.ts";
import { repositoryOf } from "../repository.ts";

/** More entries without a tag are not looked into: each costs reading a file. */
const UNTAGGED_LIMIT = 1000;

/** Options of {@linkcode LayoutSource}. */
export interface LayoutSourceOptions {
  /** The folder that holds a layout per device. */
  readonly directory: string;
  /** What precedes a device id in its folder's name; may be empty. */
  readonly repositoryPrefix: string;
}

/** Reads the layouts `<directory>/<device>/{oci-layout,index.json,blobs/}`. */
export class LayoutSource {
  readonly #directory: string;
  readonly #prefix: string;

  /**
   * Reads nothing yet.
   *
   * @param options Where.
   */
  constructor(options: LayoutSourceOptions) {
    this.#directory = options.directory.replace(/\/+$/, "");
    this.#prefix = options.repositoryPrefix;
  }

  /**
   * All tags of a device's layout.
   *
   * @param device A device id.
   * @returns Tags in the order of `index.json`.
   * @throws {ServiceError} `firmware-unknown` where there is no layout, or `source-*`.
   */
  async listTags(device: string): Promise<readonly string[]> {
    const index = await this.#readIndex(device);
    return index.manifests.map(tagOf).filter((tag) => tag !== undefined);
  }

  /**
   * The digest that a tag points to.
   *
   * @param device A device id.
   * @param tag A tag.
   * @returns The digest.
   * @throws {ServiceError} `firmware-unknown` where there is no such tag, or `source-*`.
   */
  async peekDigest(device: string, tag: string): Promise<Digest> {
    return (await this.#resolve(device, tag)).digest;
  }

  /**
   * A manifest or index, as it lies there.
   *
   * @param device A device id.
   * @param reference A tag or a digest.
   * @returns The document, not verified.
   * @throws {ServiceError} `firmware-unknown` where there is none, or `source-*`.
   */
  async fetchManifest(device: string, reference: string): Promise<DeliveredManifest> {
    const { digest, mediaType } = isDigest(reference)
      ? { digest: reference, mediaType: undefined }
      : await this.#resolve(device, reference);
    const path = this.#blobPath(device, digest);
    const bytes = await readFile(path);
    if (bytes === undefined) {
      await this.#assertPresent();
      throw new ServiceError("firmware-unknown", `No manifest ${digest} of "${device}"`);
    }
    return { bytes, mediaType, claimedDigest: digest };
  }

  /**
   * Looks whether the folder is there.
   *
   * @throws {ServiceError} `source-unavailable` where it is not.
   */
  async ping(): Promise<void> {
    await this.#assertPresent();
  }

  /**
   * A blob.
   *
   * @param device A device id.
   * @param blob Which.
   * @returns Its bytes as they come, not verified.
   * @throws {ServiceError} `artifact-invalid` where it is missing, or `source-*`.
   */
  async openBlob(device: string, { digest }: Descriptor): Promise<ReadableStream<Uint8Array>> {
    const path = this.#blobPath(device, digest);
    try {
      await assertFile(path);
      const file = await Deno.open(path, { read: true });
      return file.readable;
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound) {
        await this.#assertPresent();
        throw new ServiceError("artifact-invalid", `Blob ${digest} of "${device}" is missing`, {
          cause,
        });
      }
      throw unreadable(cause);
    }
  }

  /**
   * What refers to a manifest, such as its signatures. ORAS keeps it in `index.json` without a tag;
   * what was copied from a registry without the referrers API has the tag that stands in for it.
   *
   * @param device A device id.
   * @param digest Of the manifest.
   * @returns Descriptors of manifests; none where there are none.
   * @throws {ServiceError} `firmware-unknown` where there is no layout, or `source-*`.
   */
  async listReferrers(device: string, digest: Digest): Promise<readonly Descriptor[]> {
    const { manifests } = await this.#readIndex(device);
    const list = manifests.findLast((entry) => tagOf(entry) === referrersTag(digest));
    const bytes = list && await readFile(this.#blobPath(device, list.digest));
    const referrers = bytes === undefined ? [] : readReferrers(bytes);
    const untagged = manifests.filter((entry) => tagOf(entry) === undefined);
    for (const entry of untagged.slice(0, UNTAGGED_LIMIT)) {
      const manifest = await readFile(this.#blobPath(device, entry.digest));
      if (manifest !== undefined && subjectOf(manifest) === digest) referrers.push(entry);
    }
    return referrers;
  }

  /** Where a tag stands several times the last entry counts, as ORAS reads it. */
  async #resolve(device: string, tag: string): Promise<Descriptor> {
    const index = await this.#readIndex(device);
    const descriptor = index.manifests.findLast((entry) => tagOf(entry) === tag);
    if (descriptor !== undefined) return descriptor;
    throw new ServiceError("firmware-unknown", `No tag "${tag}" of "${device}"`);
  }

  async #readIndex(device: string): Promise<ImageIndex> {
    const bytes = await readFile(`${this.#layoutPath(device)}/index.json`);
    if (bytes === undefined) {
      await this.#assertPresent();
      throw new ServiceError("firmware-unknown", `No firmware for device '${device}'`);
    }
    try {
      return parseIndex(bytes);
    } catch (cause) {
      throw new ServiceError("source-invalid", `Cannot read the layout of "${device}"`, { cause });
    }
  }

  /** A disk that was pulled out must not look like a device without firmware. */
  async #assertPresent(): Promise<void> {
    try {
      await Deno.stat(this.#directory);
    } catch (cause) {
      throw unreadable(cause);
    }
  }

  #layoutPath(device: string): string {
    // A repository name cannot climb out of the folder.
    return `${this.#directory}/${repositoryOf(device, this.#prefix)}`;
  }

  #blobPath(device: string, digest: Digest): string {
    return `${this.#layoutPath(device)}/blobs/${digest.replace(":", "/")}`;
  }
}

/** The annotation may hold a whole reference, as containerd writes it: its end is the tag. */
function tagOf({ annotations }: Descriptor): string | undefined {
  const name = annotations?.[REF_NAME_ANNOTATION];
  return name?.includes("/") ? name.slice(name.lastIndexOf(":") + 1) : name;
}

function readReferrers(bytes: Uint8Array): Descriptor[] {
  try {
    return [...parseReferrers(bytes)];
  } catch (cause) {
    throw new ServiceError("source-invalid", "Cannot read the layout's referrers", { cause });
  }
}

/** The digest of what a manifest is about (image-spec, manifest.md, "subject"). */
function subjectOf(manifest: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(manifest))?.subject?.digest;
  } catch {
    // Whatever it is, it refers to nothing.
    return undefined;
  }
}

/** A file's bytes; undefined where there is no such file. */
async function readFile(path: string): Promise<Uint8Array | undefined> {
  try {
    const { size } = await assertFile(path);
    if (size <= MANIFEST_LIMIT_BYTES) return await Deno.readFile(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw unreadable(error);
  }
  throw new ServiceError("source-invalid", "Document in the layout is too large", {
    cause: `${path} has more than ${MANIFEST_LIMIT_BYTES} bytes`,
  });
}

/** Links are followed, but to open a pipe would be to wait for who writes into it. */
async function assertFile(path: string): Promise<Deno.FileInfo> {
  const status = await Deno.stat(path);
  if (status.isFile) return status;
  throw new Deno.errors.InvalidData(`${path} is no file`);
}

/** The path stays in the cause: devices need not know how the folders are called. */
function unreadable(cause: unknown): ServiceError {
  return new ServiceError("source-unavailable", "Layout cannot be read", { cause });
}
