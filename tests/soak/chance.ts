/**
 * Chance that can be had again: a soak that found something is repeated by its seed.
 *
 * @module
 */

import { createHash } from "node:crypto";

/** A sequence of numbers that follows from its seed. */
export class Chance {
  readonly #seed: string;
  #state: number;

  /** Begins a sequence; equal seeds make equal ones. */
  constructor(seed: number | string) {
    this.#seed = `${seed}`;
    this.#state = createHash("sha256").update(this.#seed).digest().readUInt32LE();
  }

  /**
   * A sequence of its own for whoever draws beside others: how fast one of them draws changes
   * nothing of what the others get.
   */
  fork(name: string): Chance {
    return new Chance(`${this.#seed}/${name}`);
  }

  /** A number from `low` up to, but not, `high`. */
  between(low: number, high: number): number {
    return low + this.#next() * (high - low);
  }

  /** A whole number from 0 up to, but not, `count`. */
  below(count: number): number {
    return Math.floor(this.#next() * count);
  }

  /** True in so many of all cases, from 0 to 1. */
  is(probability: number): boolean {
    return this.#next() < probability;
  }

  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    const picked = list[this.below(list.length)];
    if (picked === undefined) throw new TypeError("There is nothing to pick from");
    return picked;
  }

  /** A name, each as often as its number is to the sum of all. */
  weighted<Name extends string>(weights: Readonly<Record<Name, number>>): Name {
    const names = Object.keys(weights) as Name[];
    let left = this.between(0, names.reduce((sum, name) => sum + weights[name], 0));
    return names.find((name) => (left -= weights[name]) < 0) ?? this.pick(names);
  }

  /** mulberry32, by Tommy Ettinger: good enough for mischief, and four lines. */
  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}
