/**
 * A version noted per device and selection. Fits the port that the domain asks for
 * (`VersionNotes`).
 *
 * @module
 */

import * as v from "valibot";
import {
  fileNameOf,
  isMissing,
  makeFolder,
  readNote,
  storing,
  syncFolder,
  writeWhole,
} from "../files.ts";
import { asQuery, formatSelection, type Question } from "../selection.ts";
import { Turns } from "../turns.ts";

/** So many selections of a device are noted beside that of its newest firmware, the latest ones. */
const SELECTIONS_LIMIT = 64;

const noteSchema = v.object({
  device: v.string(),
  version: v.optional(v.string()),
  selections: v.optional(v.array(v.tuple([v.string(), v.string()])), []),
});

/** What is noted of a device: versions by selections as texts, the one noted last at the end. */
type Note = ReadonlyMap<string, string>;

/** Notes versions in a folder, a small file per device: they outlive the firmware, which may have to go. */
export class VersionFiles {
  readonly #directory: string;
  /** What was read or written before: the folder is this process's own. */
  readonly #known = new Map<string, Note>();
  /** Two notes of one device are in one file. */
  readonly #turns = new Turns();

  /**
   * Reads nothing yet.
   *
   * @param directory The folder; made with the first note.
   */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * Looks a query up.
   *
   * @param question Who asks, and for what.
   * @returns What was noted last; undefined for nothing.
   * @throws {ServiceError} `storage-failed` where the note cannot be read.
   */
  async get(question: Question): Promise<string | undefined> {
    const { device, selection } = asQuery(question);
    return (await this.#noteOf(device)).get(formatSelection(selection));
  }

  /**
   * Notes a version, durably.
   *
   * @param question Who asks, and for what.
   * @param version What is noted in place of what was before.
   * @throws {ServiceError} `storage-failed`
   */
  async set(question: Question, version: string): Promise<void> {
    const { device, selection } = asQuery(question);
    await this.#turns.take(device, async () => {
      const note = withVersion(await this.#noteOf(device), formatSelection(selection), version);
      await this.#write(device, note);
      this.#known.set(device, note);
    });
  }

  async #noteOf(device: string): Promise<Note> {
    const known = this.#known.get(device);
    if (known !== undefined) return known;
    const note = await this.#read(device);
    // Another one may have been written meanwhile.
    const written = this.#known.get(device);
    if (written === undefined) this.#known.set(device, note);
    return written ?? note;
  }

  async #write(device: string, note: Note): Promise<void> {
    const version = note.get("");
    const selections = [...note].filter(([selection]) => selection !== "");
    const content = JSON.stringify({ device, version, selections });
    await storing(() => makeFolder(this.#directory));
    const path = this.#path(device);
    await writeWhole(path, content, `${path}.${crypto.randomUUID()}`);
    await storing(() => syncFolder(this.#directory));
  }

  #read(device: string): Promise<Note> {
    return storing(async () => {
      try {
        const text = await readNote(this.#path(device));
        const { version, selections } = v.parse(noteSchema, JSON.parse(text));
        return new Map(version === undefined ? selections : [["", version], ...selections]);
      } catch (error) {
        if (isMissing(error)) return new Map<string, string>();
        throw error;
      }
    }, "Noted version cannot be read");
  }

  #path(device: string): string {
    return `${this.#directory}/${fileNameOf(device)}`;
  }
}

/** Notes versions as long as the process lives. */
export class VersionMemory {
  readonly #notes = new Map<string, Note>();

  /**
   * Looks a query up.
   *
   * @param question Who asks, and for what.
   * @returns What was noted last; undefined for nothing.
   */
  get(question: Question): Promise<string | undefined> {
    const { device, selection } = asQuery(question);
    return Promise.resolve(this.#notes.get(device)?.get(formatSelection(selection)));
  }

  /**
   * Notes a version.
   *
   * @param question Who asks, and for what.
   * @param version What is noted in place of what was before.
   * @returns At once.
   */
  set(question: Question, version: string): Promise<void> {
    const { device, selection } = asQuery(question);
    const note = this.#notes.get(device) ?? new Map<string, string>();
    this.#notes.set(device, withVersion(note, formatSelection(selection), version));
    return Promise.resolve();
  }
}

/** What strangers select must not grow without end; that of the newest firmware always stays. */
function withVersion(note: Note, selection: string, version: string): Note {
  const newest = note.get("");
  const others = [...note].filter(([other]) => other !== "" && other !== selection);
  if (selection === "") return new Map([["", version], ...others]);
  const kept = [...others, [selection, version] as const].slice(-SELECTIONS_LIMIT);
  return new Map(newest === undefined ? kept : [["", newest], ...kept]);
}
