/**
 * `otaflux check`: goes the whole way from a device to its verified firmware once, as the service
 * does, and says step by step what it finds.
 *
 * @module
 */

import { digestOf } from "../digest.ts";
import { describeError, isServiceError } from "../errors.ts";
import {
  type DeliveredManifest,
  type Descriptor,
  IMAGE_CONFIG_MEDIA_TYPES,
  parseManifest,
  TITLE_ANNOTATION,
} from "../oci.ts";
import { advise, type Place, type Progress } from "./advice.ts";
import { ProgressBar } from "./progress.ts";
import { type CheckedSource, type SourceWatcher, WatchedSource } from "./watched_source.ts";

/** So many tags are named; the others are counted. */
const TAGS_SHOWN = 10;

/** Columns of a step's name. */
const NAME_WIDTH = 11;

/** What was found of a firmware. */
export interface FoundFirmware {
  /** The version as devices see it. */
  readonly version: string;
  /** Digest of what the tag points to. */
  readonly digest: string;
  /** Length in bytes. */
  readonly size: number;
  /** CRC-32 (IEEE), unsigned. */
  readonly crc32: number;
  /** SHA-256, in hex. */
  readonly sha256: string;
}

/** What the search for firmware is to work with, so that it is seen. */
export interface Watched {
  /** Where firmware comes from. */
  readonly source: CheckedSource;
  /** Is told what became of a signature. */
  readonly observer: { verified(device: string, result: string): void };
}

/** Options of {@linkcode check}. */
export interface CheckOptions {
  /** The device's id. */
  readonly device: string;
  /** Where firmware comes from. */
  readonly source: CheckedSource;
  /** The same, for people. */
  readonly place: Place;
  /** Whether signatures are looked for. */
  readonly wantsSignature: boolean;
  /** Searches as the service does, and keeps nothing. */
  readonly find: (watched: Watched) => Promise<FoundFirmware>;
  /** Takes text for whoever called. */
  readonly write: (text: string) => void;
  /** Whether the text goes to a terminal, where a line can be drawn over. */
  readonly isTerminal: boolean;
}

/**
 * Checks a device.
 *
 * @param options Which, where, and who is told.
 * @returns Whether it would be served a firmware.
 */
export async function check(options: CheckOptions): Promise<boolean> {
  const { device, place, find, wantsSignature } = options;
  const report = new Report(options);
  report.say("Device", `${device}, in repository ${place.repository} of ${place.name}`);
  try {
    const { version, size, crc32, sha256 } = await find({
      source: new WatchedSource(options.source, report),
      observer: { verified: (_device, result) => report.say("Signature", result) },
    });
    report.endDownload();
    if (!wantsSignature) {
      report.say("Signature", "not looked for, see --cosign-pub-key-path");
    }
    report.say("Firmware", `${size} bytes, verified`);
    report.say("SHA-256", sha256);
    report.say("CRC-32", String(crc32));
    report.say("Result", `${device} is served ${version}`);
    return true;
  } catch (error) {
    report.endDownload();
    report.say("Failed", describeError(error));
    // Anything else is a mistake of ours, and not for a person to mend.
    if (!isServiceError(error)) throw error;
    report.say("Try", advise(error, place, report.progress));
    return false;
  }
}

/** Says each step when it has been made. */
class Report implements SourceWatcher {
  readonly progress: Progress = { tags: undefined, hasChosen: false };
  readonly #options: CheckOptions;
  #bar: ProgressBar | undefined;

  constructor(options: CheckOptions) {
    this.#options = options;
  }

  say(name: string, text: string): void {
    this.#options.write(`${name.padEnd(NAME_WIDTH)}${text}\n`);
  }

  listed(tags: readonly string[]): void {
    this.progress.tags = tags;
    const others = tags.length - TAGS_SHOWN;
    const shown = tags.slice(0, TAGS_SHOWN).join(", ");
    const list = tags.length === 0 ? "" : `: ${shown}${others > 0 ? ` and ${others} more` : ""}`;
    this.say("Tags", `${tags.length}${list}`);
  }

  chose(tag: string): void {
    this.progress.hasChosen = true;
    this.say("Version", `tag ${tag} is chosen`);
  }

  missed(tag: string): void {
    this.say("Version", `tag ${tag} has no manifest`);
  }

  delivered({ bytes, mediaType, claimedDigest }: DeliveredManifest): void {
    this.say("Digest", digestOf(bytes, claimedDigest));
    this.say("Kind", describeKind(bytes, mediaType));
  }

  opened({ digest, size, mediaType, annotations }: Descriptor): void {
    const title = annotations?.[TITLE_ANNOTATION];
    const name = title === undefined ? "" : `, ${JSON.stringify(title)}`;
    this.say("Layer", `${digest}, ${size} bytes of ${mediaType || "no type"}${name}`);
    if (this.#options.isTerminal) this.#bar = new ProgressBar(size, this.#options.write);
  }

  received(bytes: number): void {
    this.#bar?.advance(bytes);
  }

  endDownload(): void {
    this.#bar?.end();
    this.#bar = undefined;
  }
}

/** What cannot be read, the search says itself. */
function describeKind(bytes: Uint8Array, mediaType: string | undefined): string {
  try {
    const content = parseManifest(bytes, mediaType);
    if (content.kind === "index") return `an index of ${count(content.manifests, "manifest")}`;
    const { mediaType: type } = content.config;
    const layers = count(content.layers, "layer");
    return IMAGE_CONFIG_MEDIA_TYPES.includes(type)
      ? `a container image with ${layers}`
      : `an artifact with ${layers}, its config is ${type || "of no type"}`;
  } catch {
    return "no manifest that can be read";
  }
}

function count(things: readonly unknown[], name: string): string {
  return `${things.length} ${name}${things.length === 1 ? "" : "s"}`;
}
