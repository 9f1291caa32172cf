/**
 * Checks devices in the background, so that those who ask find fresh answers.
 *
 * @module
 */

import { deviceOfKey } from "../selection.ts";

/** How often it is looked whether a check is due, in milliseconds, unless the interval is short. */
const TICK_MS = 1000;

/** How often at most, in milliseconds: whoever wants to know sooner asks with each request. */
const SHORTEST_TICK_MS = 10;

/** Options of {@linkcode Refresher}. */
export interface RefresherOptions {
  /** Starts to check a query, and does not throw. */
  readonly check: (key: string) => void;
  /** How often each device is checked, in milliseconds; 0 for never. */
  readonly intervalMs: number;
  /** How long a device is checked after it was asked for, in milliseconds. */
  readonly trackForMs: number;
  /** A steady clock in milliseconds. */
  readonly now: () => number;
  /** A number from 0 up to 1. */
  readonly random: () => number;
}

/** What is tracked of one device. */
interface Group {
  readonly size: number;
  /** One of the moments at which it is due, whole intervals apart. */
  readonly dueMs: number;
}

interface Tracked {
  lastAskedMs: number;
  dueMs: number;
}

/** Checks each device that is asked for once per interval, as long as somebody asks. */
export class Refresher {
  readonly #options: RefresherOptions;
  readonly #tracked = new Map<string, Tracked>();
  /** What a device asks for is checked at one time, since one tag list serves it all. */
  readonly #groups = new Map<string, Group>();
  #timer: ReturnType<typeof setInterval> | undefined;

  /**
   * Tracks nothing yet and does nothing by itself before {@linkcode Refresher.start}.
   *
   * @param options What is checked, and when.
   */
  constructor(options: RefresherOptions) {
    this.#options = options;
  }

  /** How many queries are tracked. */
  get size(): number {
    return this.#tracked.size;
  }

  /**
   * Notes what was asked for.
   *
   * @param key Of a query that the source has something for: strangers must not make us track what
   * they invent.
   */
  asked(key: string): void {
    const { intervalMs, now, random } = this.#options;
    if (intervalMs === 0) return;
    const nowMs = now();
    const tracked = this.#tracked.get(key);
    if (tracked !== undefined) {
      tracked.lastAskedMs = nowMs;
      return;
    }
    const device = deviceOfKey(key);
    const group = this.#groups.get(device) ??
      // A fleet that comes at once, as after a power cut, is spread over the interval for good.
      { size: 0, dueMs: nowMs + intervalMs * random() };
    this.#groups.set(device, { ...group, size: group.size + 1 });
    const passed = Math.max(0, Math.ceil((nowMs - group.dueMs) / intervalMs));
    this.#tracked.set(key, { lastAskedMs: nowMs, dueMs: group.dueMs + intervalMs * passed });
  }

  /**
   * Notes that a query is being checked for another reason: where its turn has come, that was it.
   *
   * @param key Of a query.
   */
  checked(key: string): void {
    const tracked = this.#tracked.get(key);
    if (tracked !== undefined) this.#takeTurn(tracked);
  }

  /**
   * Checks a query no more until it is asked again.
   *
   * @param key Of a query.
   */
  forget(key: string): void {
    if (!this.#tracked.delete(key)) return;
    const device = deviceOfKey(key);
    const group = this.#groups.get(device);
    if (group === undefined || group.size === 1) this.#groups.delete(device);
    else this.#groups.set(device, { ...group, size: group.size - 1 });
  }

  /** Starts to check what is due, and goes on until {@linkcode Refresher.stop}. */
  start(): void {
    const { intervalMs } = this.#options;
    if (intervalMs === 0) return;
    const tickMs = Math.max(SHORTEST_TICK_MS, Math.min(TICK_MS, intervalMs / 4));
    this.#timer ??= setInterval(() => this.tick(), tickMs);
  }

  /** Starts no further check. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Starts the checks that are due now, and forgets devices that nobody asks for. */
  tick(): void {
    const { trackForMs, now, check } = this.#options;
    const nowMs = now();
    for (const [key, tracked] of this.#tracked) {
      if (nowMs - tracked.lastAskedMs >= trackForMs) this.forget(key);
      else if (this.#takeTurn(tracked)) check(key);
    }
  }

  /**
   * By whole intervals: turns that were missed while the machine slept are not made up for, and
   * devices stay as far apart as they are.
   */
  #takeTurn(tracked: Tracked): boolean {
    const { intervalMs, now } = this.#options;
    const lateMs = now() - tracked.dueMs;
    if (lateMs < 0) return false;
    tracked.dueMs += intervalMs * (Math.floor(lateMs / intervalMs) + 1);
    return true;
  }
}
