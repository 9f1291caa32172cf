/**
 * The domain's words: a firmware, and what the domain asks of others.
 *
 * @module
 */

import type { DeliveredManifest, Descriptor, Digest } from "../oci.ts";

/** A verified firmware, whole. */
export interface Firmware {
  /** The tag that it was found by. */
  readonly tag: string;
  /** The version as devices see it, without `v`. */
  readonly version: string;
  /** Digest of the manifest (or index) that the tag pointed to. */
  readonly digest: Digest;
  /** Length in bytes. */
  readonly size: number;
  /** CRC-32 of the bytes as zlib's `crc32` (IEEE 802.3), unsigned. */
  readonly crc32: number;
  /** SHA-256 of the bytes, in hex. */
  readonly sha256: string;
  /** The bytes that a device gets. Never changed. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** What names one firmware for ever: which version it was called, and the digest behind it. */
export type FirmwareName = Pick<Firmware, "tag" | "version" | "digest">;

/**
 * Where firmware comes from: a registry, or a folder of image layouts. It is trusted for nothing
 * but the tag list: whatever it delivers is checked against a digest here.
 *
 * All methods throw a ServiceError: `firmware-unknown` where the source knows that there is no such
 * repository or manifest, `source-*` where it cannot tell.
 */
export interface FirmwareSource {
  /** All tags of the device's repository, in any order. */
  listTags(device: string): Promise<readonly string[]>;
  /** The digest that a tag points to now, or undefined where only the manifest itself can tell. */
  peekDigest(device: string, tag: string): Promise<Digest | undefined>;
  /** A manifest or index by tag or digest. */
  fetchManifest(device: string, reference: string): Promise<DeliveredManifest>;
  /** A blob's bytes. The stream errors with a ServiceError when it is cut or makes no progress. */
  openBlob(device: string, blob: Descriptor): Promise<ReadableStream<Uint8Array>>;
}

/** Told of what the manager does, for metrics. Devices that are told of exist. */
export interface FirmwareObserver {
  /** A request was answered with firmware that was there already. */
  hit(device: string): void;
  /** A firmware had to be fetched. */
  miss(device: string): void;
  /** So many devices have firmware in the cache now. */
  entries(count: number): void;
  /** The source answers, or it does not. */
  sourceUp(isUp: boolean): void;
}
