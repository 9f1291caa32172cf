/**
 * What a soak takes down: how often things happened, what was done, and which promises were broken.
 *
 * @module
 */

/** The promises, by what breaks them. */
export const BREACHES = [
  "wrong bytes",
  "two firmwares in one",
  "not what was announced",
  "refused though it is cached",
  "cut off without a reason",
  "acknowledged event not carried out",
  "wrong message",
  "memory is not given back",
  "descriptors are not given back",
  "file left over",
  "unexpected line in the log",
  "secret told",
  "ended by itself",
] as const;

/** What breaks a promise. */
export type BreachKind = typeof BREACHES[number];

/** A promise that was broken. */
export interface Breach {
  readonly kind: BreachKind;
  /** What was seen, and what was expected. */
  readonly what: string;
  /** Seconds since the soak began. */
  readonly atSeconds: number;
  /** What was done last before it, oldest first. */
  readonly lately: readonly string[];
}

/** So many deeds are told with a breach: some minutes of them. */
const DEEDS_TOLD = 25;

/** So many breaches of a kind are kept: the first ones say what is wrong. */
const BREACHES_KEPT = 10;

/** Takes down. */
export class Findings {
  readonly #startedMs = performance.now();
  readonly #counts = new Map<string, number>();
  readonly #graveLines = new Map<string, number>();
  readonly #deeds: string[] = [];
  readonly #breaches: Breach[] = [];
  readonly #say: (line: string) => void;

  /** @param say Hears of each breach as it happens. */
  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  /** Promises that were broken, the first ones of each kind. */
  get breaches(): readonly Breach[] {
    return this.#breaches;
  }

  /** What the service logged at `warn` and `error`, and how often. */
  get graveLines(): readonly (readonly [message: string, count: number])[] {
    return [...this.#graveLines];
  }

  /** Seconds since the beginning. */
  get seconds(): number {
    return (performance.now() - this.#startedMs) / 1000;
  }

  /** Counts something. */
  count(name: string, by = 1): void {
    this.#counts.set(name, this.counted(name) + by);
  }

  /** How often something was counted. */
  counted(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** Counts a line of the log that tells of trouble. */
  logged(message: string): void {
    this.#graveLines.set(message, (this.#graveLines.get(message) ?? 0) + 1);
  }

  /** Takes down what was done, for whoever wants to know what led to a breach. */
  did(deed: string): void {
    this.#deeds.push(`${this.seconds.toFixed(1)} s: ${deed}`);
    this.#deeds.splice(0, this.#deeds.length - DEEDS_TOLD);
  }

  /** Takes down that a promise was broken. */
  breach(kind: BreachKind, what: string): void {
    this.count(kind);
    if (this.counted(kind) > BREACHES_KEPT) return;
    this.#breaches.push({ kind, what, atSeconds: this.seconds, lately: [...this.#deeds] });
    this.#say(`BREACH after ${this.seconds.toFixed(1)} s: ${kind}: ${what}`);
  }
}
