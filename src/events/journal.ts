/**
 * What was taken over and is not carried out yet. With a folder it is on disk before it counts as
 * taken over, and stays there until it is carried out.
 *
 * @module
 */

import { describeError, isServiceError, ServiceError } from "../errors.ts";
import { storing } from "../files.ts";
import { logger } from "../log.ts";
import { SingleFlight } from "../single_flight.ts";
import { Turns } from "../turns.ts";
import { EventFolder } from "./folder.ts";
import { SeenEvents } from "./seen.ts";

const log = logger("events");

/** So many devices may wait: a file each, of 4 KB on most file systems, 40 MB in all. */
export const PENDING_LIMIT = 10_000;

/** So many events are known again: 70 bytes each, and the file of them is written with each check. */
const SEEN_LIMIT = 1000;

/** Harbor before 2.8 tries for four and a half hours, later ones and others for minutes. */
const SEEN_MS = 6 * 60 * 60 * 1000;

/** Of so many events of one device that waits the ids are kept, the latest ones. */
const IDS_LIMIT = 100;

/** A change at the source that devices are to be checked for. */
export interface JournalEvent {
  /** The same for a repetition; undefined where there is no telling. */
  readonly id: string | undefined;
  /** The devices, each once. */
  readonly devices: readonly string[];
}

/** Options of {@linkcode EventJournal.open}. */
export interface EventJournalOptions {
  /** Where events are kept; nothing outlasts the process without. */
  readonly directory: string | undefined;
  /** The time in milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
}

/** What waits for a device. */
interface Entry {
  /** Higher with each event that is added. */
  readonly revision: number;
  readonly ids: readonly string[];
}

interface Waiting extends PromiseWithResolvers<void> {
  readonly event: JournalEvent;
}

/** Devices that are to be checked, each with its events. */
export class EventJournal {
  readonly #folder: EventFolder | undefined;
  readonly #seen: SeenEvents;
  readonly #entries = new Map<string, Entry>();
  readonly #accepting = new SingleFlight<void>();
  /** Events that come while others are being written are written together. */
  readonly #waiting: Waiting[] = [];
  /** The folder is written by one at a time. */
  readonly #turns = new Turns();
  #revision = 0;

  private constructor(folder: EventFolder | undefined, now: () => number) {
    this.#folder = folder;
    this.#seen = new SeenEvents({ limit: SEEN_LIMIT, keepMs: SEEN_MS, now });
  }

  /**
   * Opens the journal.
   *
   * @param options Where it is.
   * @returns It, with what an earlier process has left.
   * @throws {ServiceError} `storage-failed`
   */
  static async open(
    { directory, now = Date.now }: EventJournalOptions,
  ): Promise<EventJournal> {
    return await storing(async () => {
      const folder = directory === undefined ? undefined : await EventFolder.open(directory);
      const journal = new EventJournal(folder, now);
      const { pending, seen } = await folder?.load() ?? { pending: [], seen: [] };
      for (const [id, takenMs] of seen) journal.#seen.add(id, takenMs);
      for (const [device, ids] of pending) journal.#enter(device, ids);
      return journal;
    }, "Events cannot be kept");
  }

  /** Devices that wait to be checked. */
  get devices(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /**
   * Takes an event over. Once this has resolved, it outlasts the process where there is a folder.
   *
   * @param event The event.
   * @returns Whether it is new, or was taken over before.
   * @throws {ServiceError} `storage-failed` or `events-full`; it is as if it had not come then.
   */
  async accept(event: JournalEvent): Promise<"accepted" | "repeated"> {
    const { id } = event;
    if (id === undefined) {
      await this.#write(event);
      return "accepted";
    }
    if (this.#seen.has(id)) return "repeated";
    const isRepeated = this.#accepting.has(id);
    // Who repeats what is just being written hears the same, when it is written.
    await this.#accepting.join(id, () => this.#write(event));
    return isRepeated ? "repeated" : "accepted";
  }

  /**
   * Up to which event a device is to be checked now.
   *
   * @param device A device that waits.
   * @returns What to give to {@linkcode EventJournal.finish}.
   */
  revisionOf(device: string): number {
    return this.#entries.get(device)?.revision ?? 0;
  }

  /**
   * Notes that a device was checked.
   *
   * @param device Which.
   * @param revision What {@linkcode EventJournal.revisionOf} said before the check began: what came
   * since goes on waiting.
   */
  async finish(device: string, revision: number): Promise<void> {
    await this.#inTurn(async () => {
      if (this.revisionOf(device) !== revision) return;
      this.#entries.delete(device);
      // First of all: a repetition must be known as such once the event is not there any more. On a
      // full disk it will not be; better one check too many than an event that never goes away.
      const seen = this.#seen.entries;
      await tolerate(
        "Events that were taken cannot be noted, a repetition will be carried out after a restart",
        { device, work: async () => await this.#folder?.writeSeen(seen) },
      );
      await tolerate(
        "Event cannot be removed, it will be carried out again after a restart",
        { device, work: async () => await this.#folder?.remove(device) },
      );
    });
  }

  #write(event: JournalEvent): Promise<void> {
    const waiting = { event, ...Promise.withResolvers<void>() };
    this.#waiting.push(waiting);
    void this.#inTurn(() => this.#writeWaiting());
    return waiting.promise;
  }

  async #writeWaiting(): Promise<void> {
    const changed = new Map<string, readonly string[]>();
    const admitted = this.#waiting.splice(0).filter((waiting) => this.#admit(waiting, changed));
    if (changed.size === 0) return;
    try {
      await this.#folder?.write(changed);
    } catch (error) {
      // Which of them lie on the disk nobody knows: it does no harm to carry one out for nothing.
      const failure = new ServiceError("storage-failed", "Event cannot be stored", {
        cause: isServiceError(error) ? error.cause : error,
      });
      for (const { reject } of admitted) reject(failure);
      return;
    }
    for (const [device, ids] of changed) this.#enter(device, ids);
    for (const { resolve } of admitted) resolve();
  }

  /** Adds an event to what is about to be written, if there is room. */
  #admit({ event, reject }: Waiting, changed: Map<string, readonly string[]>): boolean {
    const { id, devices } = event;
    const added = devices.filter((device) => !this.#entries.has(device) && !changed.has(device));
    const waiting = this.#entries.size +
      [...changed.keys()].filter((device) => !this.#entries.has(device)).length;
    if (waiting + added.length > PENDING_LIMIT) {
      reject(new ServiceError("events-full", "Too many events wait to be carried out"));
      return false;
    }
    for (const device of devices) {
      const ids = changed.get(device) ?? this.#entries.get(device)?.ids ?? [];
      changed.set(device, id === undefined ? ids : [...ids, id].slice(-IDS_LIMIT));
    }
    return true;
  }

  #enter(device: string, ids: readonly string[]): void {
    this.#entries.set(device, { revision: ++this.#revision, ids });
    for (const id of ids) if (!this.#seen.has(id)) this.#seen.add(id);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    return this.#turns.take("folder", work);
  }
}

/** Does what the check was not for: where it fails, that is logged. */
async function tolerate(
  consequence: string,
  { device, work }: { readonly device: string; readonly work: () => Promise<void> },
): Promise<void> {
  try {
    await work();
  } catch (error) {
    log.warn(consequence, { device, reason: describeError(error) });
  }
}
