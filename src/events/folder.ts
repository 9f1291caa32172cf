/**
 * How events lie on the disk:
 *
 * ```
 * <folder>/pending/<device, with + for />   the ids of its events
 * <folder>/seen.json                        ids that were taken before
 * ```
 *
 * @module
 */

import { dirname } from "node:path";
import * as v from "valibot";
import {
  isMissing,
  makeFolder,
  readNote,
  removeIfThere,
  syncFolder,
  writeWhole,
} from "../files.ts";
import { logger } from "../log.ts";
import { isRepositoryName } from "../repository.ts";

const log = logger("events");

const idsSchema = v.array(v.string());
const seenSchema = v.array(v.tuple([v.string(), v.number()]));

/** What an earlier process has left. */
export interface Leftovers {
  /** The ids of the events that were not carried out, by device. */
  readonly pending: ReadonlyMap<string, readonly string[]>;
  /** Ids of events that were taken, with the time in milliseconds, oldest first. */
  readonly seen: readonly (readonly [id: string, takenMs: number])[];
}

/** A folder of events. Its methods must not run at the same time. */
export class EventFolder {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /**
   * Makes the folder where it is missing.
   *
   * @param path The folder, which this process has for itself.
   * @returns The folder.
   * @throws {Error} It cannot be made.
   */
  static async open(path: string): Promise<EventFolder> {
    const folder = new EventFolder(path);
    for (const each of [path, folder.#pending]) await makeFolder(each);
    // A folder that was just made is in its parents only once they are written, too.
    const parent = dirname(path);
    for (const each of [dirname(parent), parent, path]) await syncFolder(each);
    return folder;
  }

  /**
   * Reads what there is, and clears what was not completed.
   *
   * @returns What an earlier process has left.
   * @throws {Error} The folder, or a file in it, cannot be read; what holds nonsense can.
   */
  async load(): Promise<Leftovers> {
    const pending = new Map<string, readonly string[]>();
    for await (const { name } of Deno.readDir(this.#pending)) {
      const device = name.replaceAll("+", "/");
      const path = `${this.#pending}/${name}`;
      // Whatever a file says: that it is there means that there is something to do.
      if (isRepositoryName(device)) pending.set(device, await readJson(path, idsSchema) ?? []);
      else log.warn("What is in the folder of events is no event", { path });
    }
    for await (const { name } of Deno.readDir(this.#path)) {
      if (name.startsWith(DRAFT)) await removeIfThere(`${this.#path}/${name}`);
    }
    return { pending, seen: await readJson(`${this.#path}/seen.json`, seenSchema) ?? [] };
  }

  /**
   * Notes that devices have events, durably.
   *
   * @param pending All ids of each device's events.
   * @throws {ServiceError} `storage-failed`
   */
  async write(pending: ReadonlyMap<string, readonly string[]>): Promise<void> {
    await Promise.all(
      [...pending].map(([device, ids], number) =>
        writeWhole(this.#fileOf(device), JSON.stringify(ids), `${this.#path}/${DRAFT}${number}`)
      ),
    );
    await syncFolder(this.#pending);
  }

  /**
   * Notes that a device has no event any more. Should the note be lost, the event is carried out
   * again.
   *
   * @param device A device id.
   * @throws {Error} Its file cannot be removed.
   */
  async remove(device: string): Promise<void> {
    await removeIfThere(this.#fileOf(device));
  }

  /**
   * Notes which events were taken.
   *
   * @param seen Ids and times, oldest first.
   * @throws {ServiceError} `storage-failed`
   */
  async writeSeen(seen: Leftovers["seen"]): Promise<void> {
    await writeWhole(
      `${this.#path}/seen.json`,
      JSON.stringify(seen),
      `${this.#path}/${DRAFT}seen`,
    );
  }

  get #pending(): string {
    return `${this.#path}/pending`;
  }

  /** A repository's name holds no plus, and as a file's name it is not longer. */
  #fileOf(device: string): string {
    return `${this.#pending}/${device.replaceAll("/", "+")}`;
  }
}

const DRAFT = "draft-";

/** What was spoiled, or is none of ours, counts as not there. */
async function readJson<T>(
  path: string,
  schema: v.GenericSchema<unknown, T>,
): Promise<T | undefined> {
  try {
    const parsed = v.safeParse(schema, JSON.parse(await readNote(path)));
    if (parsed.success) return parsed.output;
  } catch (error) {
    if (isMissing(error)) return undefined;
    const isSpoiled = error instanceof SyntaxError || error instanceof Deno.errors.InvalidData ||
      error instanceof Deno.errors.PermissionDenied;
    if (!isSpoiled) throw error;
  }
  log.warn("What is written down of events cannot be read", { path });
  return undefined;
}
