/**
 * What is written down of a device, and how: the `index.json` of its layout.
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
 * @module
 */

import * as v from "valibot";
import { type Digest, digestSchema } from "../digest.ts";
import { MANIFEST_MEDIA_TYPES, REF_NAME_ANNOTATION } from "../oci.ts";
import { FIRST_ISSUE } from "../schema.ts";

/** What we note beside the tag in `index.json`: a list of the selections that it serves, and how. */
const FIRMWARE_ANNOTATION = "dev.otaflux.firmware";

/** So many selections of a device are kept; strangers must not fill the folder with what they invent. */
const SELECTIONS_LIMIT = 16;

const dateSchema = v.pipe(v.string(), v.transform((text) => new Date(text)), v.date());

const keptSchema = v.object({
  selection: v.string(),
  savedAt: dateSchema,
  tag: v.string(),
  // It becomes a header, which what else a file may hold would break.
  version: v.pipe(v.string(), v.regex(/^[0-9A-Za-z.+-]{1,256}$/)),
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  crc32: v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(0xffffffff)),
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  md5: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
  modifiedAt: dateSchema,
  annotations: v.record(v.string(), v.string()),
  files: v.array(v.string()),
  blobs: v.array(digestSchema),
  layer: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
  policy: v.optional(v.string()),
});

const indexSchema = v.object({
  manifests: v.array(v.object({
    mediaType: v.string(),
    digest: digestSchema,
    size: v.pipe(v.number(), v.safeInteger()),
    annotations: v.record(v.string(), v.string()),
  })),
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
  /** The titles of the files beside which it was. */
  readonly files: readonly string[];
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
  /**
   * Manifest, or index and manifest: the first one is what the tag points to. None where the same
   * firmware is kept for another selection.
   */
  readonly documents: readonly StoredDocument[];
  /** The layer, and the SHA-256 that it is stored under; undefined where the layout has it. */
  readonly layer: { readonly digest: Digest; readonly sha256: string | undefined };
  /** The policy that it was verified under, where there was one. */
  readonly policy?: string | undefined;
}

/** What an index says of one selection. */
export interface KeptFirmware {
  /** What was asked for, as a text. */
  readonly selection: string;
  /** When it was written down. */
  readonly savedAt: Date;
  /** What is served. */
  readonly firmware: StoredFirmware;
  /** What the tag points to, as a descriptor says it. */
  readonly top: { readonly mediaType: string; readonly size: number };
  /** All that the layout needs for it. */
  readonly blobs: readonly Digest[];
  /** What its layer is stored under, where that is not the firmware itself. */
  readonly layer?: string | undefined;
  /** The policy that it was verified under, where there was one. */
  readonly policy?: string | undefined;
}

/**
 * The contents that a layout has links to.
 *
 * @param kept What is kept of one selection.
 * @returns Their SHA-256, in hex: of the layer, where that is another, and of the firmware.
 */
export function contentsOf({ firmware, layer }: KeptFirmware): readonly string[] {
  return layer === undefined ? [firmware.sha256] : [layer, firmware.sha256];
}

/**
 * Reads an `index.json`.
 *
 * @param text The file.
 * @returns What it says, in the order in which it was saved; nothing where it is none of ours, and
 * not what is not whole.
 */
export function parseIndex(text: string): readonly KeptFirmware[] {
  const index = v.safeParse(indexSchema, parseJson(text), FIRST_ISSUE);
  if (!index.success) return [];
  const kept = index.output.manifests.flatMap(({ mediaType, digest, size, annotations }) => {
    const list = parseJson(annotations[FIRMWARE_ANNOTATION] ?? "");
    return (Array.isArray(list) ? list : []).flatMap((item): KeptFirmware[] => {
      const result = v.safeParse(keptSchema, item, FIRST_ISSUE);
      if (!result.success) return [];
      const { selection, savedAt, blobs, layer, policy, ...content } = result.output;
      const firmware = { digest, ...content };
      return [{ selection, savedAt, firmware, top: { mediaType, size }, blobs, layer, policy }];
    });
  });
  return kept.sort((a, b) => a.savedAt.getTime() - b.savedAt.getTime());
}

/**
 * Writes an `index.json`: an entry for each tag and digest, the one that was saved last at the end.
 * A tag that has moved is a name of the last one only, so that there is no doubt what it means.
 *
 * @param kept What is kept of the device, in the order in which it was saved.
 * @returns The file.
 */
export function formatIndex(kept: readonly KeptFirmware[]): string {
  const entries = new Map<string, KeptFirmware[]>();
  for (const one of kept) {
    const name = `${one.firmware.tag} ${one.firmware.digest}`;
    const entry = entries.get(name) ?? [];
    entries.delete(name);
    entries.set(name, [...entry, one]);
  }
  const lists = [...entries.values()];
  const manifests = lists.map((list, at) => {
    const isMoved = lists.slice(at + 1).some((later) => tagOf(later) === tagOf(list));
    return formatEntry(list, { isMoved });
  });
  const mediaType = MANIFEST_MEDIA_TYPES.ociIndex;
  return JSON.stringify({ schemaVersion: 2, mediaType, manifests });
}

/**
 * Adds what is kept for a selection, in place of what was.
 *
 * @param kept What is kept of the device, in the order in which it was saved.
 * @param next What is saved now.
 * @param defaultSelection What always stays: what devices ask for that say nothing.
 * @returns What is kept then; so many at most that what was saved the longest ago may have to go.
 */
export function withKept(
  kept: readonly KeptFirmware[],
  next: KeptFirmware,
  defaultSelection: string,
): readonly KeptFirmware[] {
  const others = kept.filter(({ selection }) => selection !== next.selection);
  const excess = others.filter(({ selection }) => selection !== defaultSelection)
    .slice(0, Math.max(0, others.length + 1 - SELECTIONS_LIMIT));
  return [...others.filter((one) => !excess.includes(one)), next];
}

function formatEntry(
  list: readonly KeptFirmware[],
  { isMoved }: { readonly isMoved: boolean },
): unknown {
  const [first] = list;
  if (first === undefined) throw new TypeError("An entry is of at least one firmware");
  const firmwares = list.map(({ firmware, top: _top, ...rest }) => {
    const { digest: _inDescriptor, ...content } = firmware;
    return { ...rest, ...content };
  });
  return {
    ...{ mediaType: first.top.mediaType, digest: first.firmware.digest, size: first.top.size },
    annotations: {
      ...(!isMoved && { [REF_NAME_ANNOTATION]: first.firmware.tag }),
      [FIRMWARE_ANNOTATION]: JSON.stringify(firmwares),
    },
  };
}

function tagOf([first]: readonly KeptFirmware[]): string | undefined {
  return first?.firmware.tag;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
