/**
 * Carries out what registries tell: each event leads to a check of its device, however long that
 * takes.
 *
 * @module
 */

import pLimit, { type LimitFunction } from "p-limit";
import { backoffMs, type PauseBounds } from "../backoff.ts";
import { describeError, type ErrorCode, isServiceError } from "../errors.ts";
import { logger } from "../log.ts";
import { EventJournal, type JournalEvent } from "./journal.ts";

const log = logger("events");

/**
 * How long it is waited for more events of the same device, in milliseconds: an index comes with
 * its children, a firmware with its signature.
 */
const QUIET_MS = 50;

/** How long at most, in milliseconds, while more and more come. */
const LONGEST_QUIET_MS = 500;

/** No pause is longer, unless the source wants one: it is told to devices, too. */
const PAUSES: PauseBounds = { firstMs: 1000, longestMs: 30_000 };

/** However long a pause the source wants, in milliseconds. */
const LONGEST_WISH_MS = 5 * 60 * 1000;

/**
 * What the source itself says of a device is believed after so many attempts, which take about three
 * minutes: credentials may just have been changed, or a proxy in front may answer for it.
 */
const ANSWER_ATTEMPTS = 12;

/**
 * How often an event is tried that fails so in a row; without end for all other failures, which
 * pass. Where another attempt is of no use, what could change that comes with an event of its own.
 */
const ATTEMPTS: Readonly<Partial<Record<ErrorCode, number>>> = {
  "device-invalid": 1,
  "firmware-unknown": 1,
  "selection-unmatched": 1,
  "artifact-invalid": 1,
  "source-refused": ANSWER_ATTEMPTS,
  "source-invalid": ANSWER_ATTEMPTS,
};

/** Options of {@linkcode EventQueue.open}. */
export interface EventQueueOptions {
  /** Where events are kept; what was accepted is lost with the process without. */
  readonly directory: string | undefined;
  /** Checks a device. A ServiceError says whether to try again. */
  readonly handle: (device: string) => Promise<unknown>;
  /** How many devices are checked at once. */
  readonly concurrency: number;
  /** A steady clock in milliseconds. @default performance.now */
  readonly now?: () => number;
  /** A number from 0 up to 1. @default Math.random */
  readonly random?: () => number;
  /** Calls back after so many milliseconds, and gives what stops that. @default setTimeout */
  readonly schedule?: (callback: () => void, ms: number) => () => void;
}

/** What is being done about a device. */
interface Task {
  /** `waiting` for its time, `due` and in line, or `running`. */
  state: "waiting" | "due" | "running";
  /** When the first event came of those that this is about. */
  readonly firstMs: number;
  /** How often it failed in a row. */
  failures: number;
  /** Whether there is news since it runs. */
  hasNews: boolean;
  /** Ends the waiting. */
  cancel: () => void;
}

/** Accepts events, and checks their devices until that succeeds. */
export class EventQueue {
  readonly #options: Required<Omit<EventQueueOptions, "directory">>;
  readonly #journal: EventJournal;
  readonly #limit: LimitFunction;
  readonly #tasks = new Map<string, Task>();
  #isStarted = false;

  private constructor(options: EventQueueOptions, journal: EventJournal) {
    this.#options = {
      now: () => performance.now(),
      random: Math.random,
      schedule: (callback, ms) => {
        const timer = setTimeout(callback, ms);
        return () => clearTimeout(timer);
      },
      ...options,
    };
    this.#journal = journal;
    this.#limit = pLimit(options.concurrency);
  }

  /**
   * Opens the queue. It does nothing by itself before {@linkcode EventQueue.start}.
   *
   * @param options Where it is, and what it does.
   * @returns It, with what an earlier process has left.
   * @throws {ServiceError} `storage-failed`
   */
  static async open(options: EventQueueOptions): Promise<EventQueue> {
    const { directory } = options;
    return new EventQueue(options, await EventJournal.open({ directory }));
  }

  /** Starts to carry out what there is and what comes. */
  start(): void {
    this.#isStarted = true;
    const { devices } = this.#journal;
    if (devices.length > 0) {
      log.info("Events of an earlier process are carried out", { devices: devices.length });
    }
    for (const device of devices) this.#add(device);
  }

  /** Starts nothing more. What waits stays where it is. */
  stop(): void {
    this.#isStarted = false;
    for (const { cancel } of this.#tasks.values()) cancel();
    this.#limit.clearQueue();
    this.#tasks.clear();
  }

  /**
   * Takes an event over. Once this has resolved, it outlasts the process where there is a folder.
   *
   * @param event The event.
   * @returns Whether it is new, or was taken over before.
   * @throws {ServiceError} `storage-failed` or `events-full`; it is as if it had not come then.
   */
  async accept(event: JournalEvent): Promise<"accepted" | "repeated"> {
    const result = await this.#journal.accept(event);
    if (result === "accepted") { for (const device of event.devices) this.#add(device); }
    return result;
  }

  /** There is news of a device: it is checked after a short while, whatever failed before. */
  #add(device: string): void {
    if (!this.#isStarted) return;
    const task = this.#tasks.get(device);
    // A check that has not begun covers it.
    if (task?.state === "due") return;
    if (task?.state === "running") {
      task.hasNews = true;
      return;
    }
    task?.cancel();
    const nowMs = this.#options.now();
    const firstMs = task?.failures === 0 ? task.firstMs : nowMs;
    const waitMs = Math.max(0, Math.min(QUIET_MS, firstMs + LONGEST_QUIET_MS - nowMs));
    this.#wait(device, { firstMs, failures: 0 }, waitMs);
  }

  #wait(
    device: string,
    { firstMs, failures }: Pick<Task, "firstMs" | "failures">,
    ms: number,
  ): void {
    const task: Task = {
      ...{ state: "waiting", firstMs, failures, hasNews: false },
      cancel: this.#options.schedule(() => {
        task.state = "due";
        void this.#limit(() => this.#run(device, task));
      }, ms),
    };
    this.#tasks.set(device, task);
  }

  async #run(device: string, task: Task): Promise<void> {
    task.state = "running";
    const revision = this.#journal.revisionOf(device);
    try {
      await this.#options.handle(device);
      log.info("Event is carried out", { device });
    } catch (error) {
      task.failures++;
      if (!isServiceError(error) || task.failures < (ATTEMPTS[error.code] ?? Infinity)) {
        this.#failed(device, { task, error });
        return;
      }
      log.info("Event ends without a firmware", { device, reason: describeError(error) });
    }
    await this.#journal.finish(device, revision);
    this.#tasks.delete(device);
    if (task.hasNews) this.#add(device);
  }

  #failed(device: string, { task, error }: { readonly task: Task; readonly error: unknown }): void {
    const { failures, hasNews } = task;
    if (failures === 1) {
      log.warn("Event cannot be carried out yet", { device, reason: describeError(error) });
    }
    if (!this.#isStarted) return;
    if (hasNews) {
      this.#tasks.delete(device);
      this.#add(device);
    } else this.#wait(device, task, this.#pauseMs(failures, error));
  }

  /** As long as the source wishes, where it does. */
  #pauseMs(failures: number, error: unknown): number {
    const wishMs = isServiceError(error) ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
    const pauseMs = backoffMs(failures, this.#options.random(), PAUSES);
    return Math.max(pauseMs, Math.min(wishMs, LONGEST_WISH_MS));
  }
}
