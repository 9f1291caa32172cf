/**
 * The domain's words: a firmware, and what the domain asks of others.
 *
 * @module
 */

import type { Digest } from "../digest.ts";
import type { ErrorCode } from "../errors.ts";
import type { DeliveredManifest, Descriptor } from "../oci.ts";
import type { Query } from "../selection.ts";

/** A verified firmware. Its bytes are in the store, under their SHA-256. */
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
  /** MD5 of the bytes, in hex: many devices can check no other. It proves nothing. */
  readonly md5: string;
  /** When the device's firmware became this one, to the second; 1970 where nobody can tell. */
  readonly modifiedAt: Date;
  /** What its author says of it, bounded: see `annotations.ts`. */
  readonly annotations: Readonly<Record<string, string>>;
  /** The titles of all files beside which it was, itself among them: see `parts.ts`. */
  readonly files: readonly string[];
}

/** A part of a firmware's bytes, by their places from 0 on. */
export interface ByteRange {
  /** The first byte. */
  readonly start: number;
  /** The one behind the last byte. */
  readonly end: number;
}

/** Gives bytes, one after the other. */
export interface ByteReader {
  /** Whether all bytes were given. */
  readonly isAtEnd: boolean;
  /** The next bytes, at most so many; undefined at the end. */
  read(maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Lets go of what is held. */
  close(): void;
}

/** Gives the bytes of a firmware: all of them, unless it is told otherwise. */
export interface FirmwareReader extends ByteReader {
  /** Goes on with these bytes, and ends behind them. They must be there. */
  seek(range: ByteRange): void;
}

/** Takes bytes into the store. Nothing is there before it is committed. */
export interface StoreDraft {
  /** Appends bytes. */
  write(chunk: Uint8Array): Promise<void>;
  /** Keeps the bytes under their SHA-256, in hex: durably, where the store is durable. */
  commit(sha256: string): Promise<void>;
  /** Leaves nothing behind. */
  discard(): Promise<void>;
}

/** A manifest or index, verified. */
export interface FirmwareDocument {
  /** Its digest. */
  readonly digest: Digest;
  /** Its media type, as far as known. */
  readonly mediaType: string;
  /** The document, byte for byte. */
  readonly bytes: Uint8Array;
}

/** A firmware and where it comes from, as it is to be kept. */
export interface FirmwareRecord {
  /** The firmware, whose bytes are in the store. */
  readonly firmware: Firmware;
  /**
   * Manifest, or index and manifest: the first one is what the tag points to. None where the store
   * has them, since the same firmware of the device is kept for another selection.
   */
  readonly documents: readonly FirmwareDocument[];
  /** The layer, and what it is stored under; undefined where only an earlier record knows. */
  readonly layer: { readonly digest: Digest; readonly sha256: string | undefined };
  /** The policy that it was verified under; undefined where there was none. */
  readonly policy?: string | undefined;
}

/**
 * Where firmware is kept. Whatever it keeps may be gone the next moment: it is bounded.
 *
 * All methods that store throw a ServiceError `storage-failed` where that fails.
 */
export interface FirmwareStore {
  /** Whether it wants the layer, too, where that is an archive of the firmware. */
  readonly keepsLayers: boolean;
  /** How many bytes are kept. */
  readonly bytes: number;
  /** Begins to take so many bytes, or about so many. */
  draft(size: number): Promise<StoreDraft>;
  /** The bytes of a SHA-256, verified; undefined where they are not there. */
  open(sha256: string): Promise<FirmwareReader | undefined>;
  /** What was kept of a query by an earlier process, when, and verified under which policy. */
  load(
    query: Query,
  ): Promise<
    { firmware: Firmware; savedAt: Date; policy?: string | undefined } | undefined
  >;
  /**
   * Keeps what a query is answered with, in place of what was kept before. False where the content
   * that the record names had to go.
   */
  save(query: Query, record: FirmwareRecord): Promise<boolean>;
  /** Forgets a query. */
  remove(query: Query): Promise<void>;
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
  /** Finds out whether it answers at all. */
  ping(): Promise<void>;
  /** A blob's bytes. The stream errors with a ServiceError when it is cut or makes no progress. */
  openBlob(device: string, blob: Descriptor): Promise<ReadableStream<Uint8Array>>;
}

/** A firmware that was found, before anything of it is downloaded. */
export interface FirmwareCandidate {
  /** The tag that it was found by. */
  readonly tag: string;
  /** The version that the tag says. */
  readonly version: string;
  /** The hardware that was asked for, in a text; empty where none was. */
  readonly part: string;
  /** Index and manifest, or the manifest alone; the bytes of each name the digest of the next. */
  readonly documents: readonly FirmwareDocument[];
}

/** Says whether a firmware was released by whom it should be. */
export interface FirmwareVerifier {
  /** Names keys and rules. What was verified under another policy is not verified under this one. */
  readonly policy: string;
  /**
   * Verifies a firmware.
   *
   * @throws {ServiceError} `signature-invalid` where it is not signed as it should be; `source-*`
   * where that cannot be told now; `storage-failed` where it cannot be written down.
   */
  verify(device: string, candidate: FirmwareCandidate): Promise<void>;
}

/** What became of a verification: decided, one way or the other, or not possible now. */
export type VerificationResult = "valid" | "invalid" | "error";

/** How much is known of a firmware that is announced. */
export interface AnnounceOptions {
  /** Announces it although it was before: a webhook said so. @default false */
  readonly always?: boolean;
  /** Whether the source has just said that it is the newest. @default true */
  readonly isConfirmed?: boolean;
}

/** Told which firmware a device may have, to tell the device. Decides by itself what is news. */
export interface FirmwareNotifier {
  /** Settles, and never fails, once it will be told whatever happens. Nobody is waited for. */
  announce(device: string, firmware: Firmware, options?: AnnounceOptions): Promise<void>;
}

/** Told of what the manager does, for metrics. Devices that are told of exist. */
export interface FirmwareObserver {
  /** A request was answered with firmware that was there already. */
  hit(device: string): void;
  /** A firmware had to be fetched. */
  miss(device: string): void;
  /** So many devices have firmware in the cache now. */
  entries(count: number): void;
  /** A signature was looked for. */
  verified(device: string, result: VerificationResult): void;
  /** The source answers, or it does not. */
  sourceUp(isUp: boolean): void;
  /** A check of a device ended with an error, and not with the answer that there is no firmware. */
  checkFailed(code: ErrorCode): void;
}
