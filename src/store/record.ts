/**
 * What is written down of a device, and how: the `index.json` of its layout.
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
 * @module
 */

import * as v from "valibot";
import { type Digest, isDigest, REF_NAME_ANNOTATION } from "../oci.ts";
import { FIRST_ISSUE } from "../schema.ts";

/** What we note beside the tag in `index.json`: the firmware's checksums. */
const FIRMWARE_ANNOTATION = "dev.otaflux.firmware";

const firmwareSchema = v.object({
  // It becomes a header, which what else a file may hold would break.
  version: v.pipe(v.string(), v.regex(/^[0-9A-Za-z.+-]{1,256}$/)),
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  crc32: v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(0xffffffff)),
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  md5: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
  modifiedAt: v.pipe(v.string(), v.transform((text) => new Date(text)), v.date()),
  annotations: v.record(v.string(), v.string()),
  layer: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
  policy: v.optional(v.string()),
});

const indexSchema = v.object({
  manifests: v.tuple([v.object({
    digest: v.custom<Digest>((text) => typeof text === "string" && isDigest(text)),
    annotations: v.record(v.string(), v.string()),
  })]),
});

/** A device's firmware, as it is written down. */
export interface StoredFirmware {
  /** The tag that it was found by. */
  readonly tag: string;
  /** The version as devices see it. */
  readonly version: string;
  /** Digest of the document that the tag pointed to. */
  readonly digest: Digest;
  /** Length in bytes. */
  readonly size: number;
  /** CRC-32 of the bytes, unsigned. */
  readonly crc32: number;
  /** SHA-256 of the bytes, in hex. */
  readonly sha256: string;
  /** MD5 of the bytes, in hex. */
  readonly md5: string;
  /** When the device's firmware became this one. */
  readonly modifiedAt: Date;
  /** What its author says of it. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** A manifest or index. */
export interface StoredDocument {
  /** Its digest. */
  readonly digest: Digest;
  /** Its media type, as far as known. */
  readonly mediaType: string;
  /** The document, byte for byte. */
  readonly bytes: Uint8Array;
}

/** What is kept of a device. */
export interface StoredRecord {
  /** What is served. */
  readonly firmware: StoredFirmware;
  /** Manifest, or index and manifest: the first one is what the tag points to. */
  readonly documents: readonly StoredDocument[];
  /** The layer, and the SHA-256 that it is stored under; undefined where the layout has it. */
  readonly layer: { readonly digest: Digest; readonly sha256: string | undefined };
  /** The policy that it was verified under, where there was one. */
  readonly policy?: string | undefined;
}

/** What an index says: the firmware, what its layer is stored under where that is another, … */
export type KeptIndex = StoredFirmware & {
  readonly layer?: string | undefined;
  /** … and the policy that it was verified under, where there was one. */
  readonly policy?: string | undefined;
};

/**
 * Reads an `index.json`.
 *
 * @param text The file.
 * @returns What it says; undefined where it is none of ours, or not whole.
 */
export function parseIndex(text: string): KeptIndex | undefined {
  const index = v.safeParse(indexSchema, parseJson(text), FIRST_ISSUE);
  if (!index.success) return undefined;
  const [{ digest, annotations }] = index.output.manifests;
  const noted = parseJson(annotations[FIRMWARE_ANNOTATION] ?? "");
  const firmware = v.safeParse(firmwareSchema, noted, FIRST_ISSUE);
  const tag = annotations[REF_NAME_ANNOTATION];
  return firmware.success && tag !== undefined ? { tag, digest, ...firmware.output } : undefined;
}

/**
 * Writes an `index.json`.
 *
 * @param firmware What is served.
 * @param parts What the tag points to, the layer, and the policy.
 * @returns The file.
 */
export function formatIndex(
  firmware: StoredFirmware,
  { top, layer, policy }: Pick<StoredRecord, "layer" | "policy"> & { readonly top: StoredDocument },
): string {
  const { tag, digest: _inDescriptor, ...content } = firmware;
  const kept = { ...content, policy };
  const isOther = layer.sha256 !== undefined && layer.sha256 !== kept.sha256;
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [{
      mediaType: top.mediaType,
      digest: top.digest,
      size: top.bytes.length,
      annotations: {
        [REF_NAME_ANNOTATION]: tag,
        [FIRMWARE_ANNOTATION]: JSON.stringify(isOther ? { ...kept, layer: layer.sha256 } : kept),
      },
    }],
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
