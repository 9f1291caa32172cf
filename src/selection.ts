/**
 * What a device asks for beside its id: which version, for which hardware, which file. Those who
 * read it from requests or flags, who choose by it, and who keep what was chosen share these words.
 *
 * @module
 */

import { parse, Range, type SemVer } from "semver";

/** What is asked for; the newest firmware, the first part, the first file where nothing is. */
export interface Selection {
  /** Exactly this version, as {@linkcode readVersion} gives it. */
  readonly version?: string | undefined;
  /** A range of versions in node-semver's grammar, as {@linkcode readConstraint} gives it. */
  readonly constraint?: string | undefined;
  /** Whether pre-releases count; where it is not said, they do unless the constraint decides. */
  readonly prerelease?: boolean | undefined;
  /** Of the pre-releases only those with this identifier, such as `beta`. */
  readonly channel?: string | undefined;
  /** The hardware in a word: an annotation, architecture, variant or feature. */
  readonly variant?: string | undefined;
  /** The hardware as `os/architecture`, perhaps with `/variant`. */
  readonly platform?: string | undefined;
  /** The title of the layer that is wanted. */
  readonly file?: string | undefined;
}

/** A device and what it asks for. */
export interface Query {
  /** A device id. */
  readonly device: string;
  /** What it asks for. */
  readonly selection: Selection;
}

/** What is asked: by a device id alone, for its newest firmware. */
export type Question = Query | string;

/**
 * Writes a question out.
 *
 * @param question A query, or a device id alone.
 * @returns The query.
 */
export function asQuery(question: Question): Query {
  return typeof question === "string" ? { device: question, selection: {} } : question;
}

/** The members in the order in which they are written. */
const NAMES = [
  "version",
  "constraint",
  "prerelease",
  "channel",
  "variant",
  "platform",
  "file",
] as const satisfies readonly (keyof Selection)[];

/** No device id holds it, nor does a version. */
const SEPARATOR = "?";

/** The longest text of each member: node-semver takes no longer version, and names are short. */
const LENGTH_LIMIT = 256;

/**
 * Writes a selection down, always in the same way.
 *
 * @param selection What is asked for.
 * @returns A text such as `constraint=%5E1.2&file=app.bin`; empty where nothing is asked for.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(formatSelection({}), "");
 * assert.equal(formatSelection({ file: "a", version: "1.0.0" }), "version=1.0.0&file=a");
 * ```
 */
export function formatSelection(selection: Selection): string {
  // Nearly always nothing is asked for, and each request needs this text.
  let asked: URLSearchParams | undefined;
  for (const name of NAMES) {
    const value = selection[name];
    if (value !== undefined) (asked ??= new URLSearchParams()).append(name, String(value));
  }
  return asked?.toString() ?? "";
}

/**
 * Reads what {@linkcode formatSelection} has written.
 *
 * @param text Such a text.
 * @returns The selection.
 */
export function parseSelection(text: string): Selection {
  const { prerelease, ...texts } = Object.fromEntries(new URLSearchParams(text));
  return { ...texts, ...(prerelease !== undefined && { prerelease: prerelease === "true" }) };
}

/**
 * The one text under which everything of a query is kept.
 *
 * @param query A device, and what it asks for.
 * @returns The device id alone where nothing is asked for.
 */
export function keyOf({ device, selection }: Query): string {
  const text = formatSelection(selection);
  return text === "" ? device : `${device}${SEPARATOR}${text}`;
}

/**
 * Reads what {@linkcode keyOf} has written.
 *
 * @param key A key.
 * @returns The query.
 */
export function queryOfKey(key: string): Query {
  const [device = "", text = ""] = key.split(SEPARATOR, 2);
  return { device, selection: parseSelection(text) };
}

/**
 * The device of a key.
 *
 * @param key A key.
 * @returns The device id.
 */
export function deviceOfKey(key: string): string {
  const end = key.indexOf(SEPARATOR);
  return end === -1 ? key : key.slice(0, end);
}

/**
 * The part of a selection that decides which bytes of an artifact are meant, whatever its version.
 *
 * @param selection What is asked for.
 * @returns Hardware and file.
 */
export function partOf({ variant, platform, file }: Selection): Selection {
  return { variant, platform, file };
}

/**
 * Adds what the operator wants where a request does not say. Who names a version, or a channel of
 * pre-releases, has said.
 *
 * @param selection What a request asks for.
 * @param defaults A constraint, and whether pre-releases count.
 * @returns What is looked for.
 */
export function withDefaults(selection: Selection, defaults: Selection): Selection {
  if (selection.version !== undefined) return selection;
  const { constraint = defaults.constraint, channel } = selection;
  const prerelease = selection.prerelease ??
    (channel === undefined ? defaults.prerelease : undefined);
  return { ...selection, constraint, prerelease };
}

/** A version that was read. */
export interface ParsedVersion {
  /** For comparisons. */
  readonly semver: SemVer;
  /** As devices see it, such as `1.2.0+build.7`. */
  readonly version: string;
}

/**
 * Reads a version as tags have it: a leading `v` is accepted, and the first `_` stands for the `+`
 * that a tag cannot hold.
 *
 * @param text Such as `v1.2.0_build.7`.
 * @returns The version; undefined where it is none.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(parseVersion("v1.2.0_build.7")?.version, "1.2.0+build.7");
 * assert.equal(parseVersion("1.2"), undefined);
 * ```
 */
export function parseVersion(text: string): ParsedVersion | undefined {
  // `parse` also takes spaces and "=" around a version, which no tag can hold.
  const semver = /^v?[0-9]\S*$/.test(text) ? parse(text.replace("_", "+")) : null;
  if (semver === null) return undefined;
  const build = semver.build.length > 0 ? `+${semver.build.join(".")}` : "";
  return { semver, version: semver.version + build };
}

/**
 * Reads a version out of a request.
 *
 * @param text As in a tag; or with the space that a `+` becomes where nobody has escaped it.
 * @returns The version as devices see it; undefined where it is none.
 */
export function readVersion(text: string): string | undefined {
  return parseVersion(text.replace(" ", "+"))?.version;
}

/**
 * Reads a range of versions.
 *
 * @param text In node-semver's grammar.
 * @returns The range, in one spelling of its spaces; undefined where it is none.
 * @see https://github.com/npm/node-semver/blob/v7.7.3/README.md#ranges
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(readConstraint(" >=1   <2 "), ">=1 <2");
 * assert.equal(readConstraint("newest"), undefined);
 * ```
 */
export function readConstraint(text: string): string | undefined {
  const constraint = text.trim().replaceAll(/\s+/g, " ");
  // To node-semver nothing at all is any version.
  if (constraint === "" || constraint.length > LENGTH_LIMIT) return undefined;
  try {
    new Range(constraint);
    return constraint;
  } catch {
    return undefined;
  }
}

/**
 * Reads a channel: an identifier of a pre-release (semver, 9).
 *
 * @param text Such as `beta`.
 * @returns The same; undefined where it can be no identifier.
 */
export function readChannel(text: string): string | undefined {
  return text.length <= LENGTH_LIMIT && /^[0-9A-Za-z-]+$/.test(text) ? text : undefined;
}

/**
 * Reads a platform.
 *
 * @param text Such as `linux/arm/v7`.
 * @returns The same; undefined where it is none.
 */
export function readPlatform(text: string): string | undefined {
  const isPlatform = text.length <= LENGTH_LIMIT && /^[\w.-]+\/[\w.-]+(\/[\w.-]+)?$/.test(text);
  return isPlatform ? text : undefined;
}

/**
 * Reads a name of hardware or of a file.
 *
 * @param text Any text of one line.
 * @returns The same; undefined where it is empty, too long, or holds control characters.
 */
export function readName(text: string): string | undefined {
  return text.length <= LENGTH_LIMIT && /^[^\p{Cc}\p{Cs}]+$/u.test(text) ? text : undefined;
}
