/**
 * Random damage that can be repeated.
 *
 * @module
 */

import type { Bytes } from "./manifest.ts";

/** Numbers from 0 up to 1 that look random, the same ones for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number from 0 up to the limit. */
export function below(limit: number, random: () => number): number {
  return Math.floor(random() * limit);
}

/** One of several. */
export function oneOf<T>(items: readonly T[], random: () => number): T {
  const item = items[below(items.length, random)];
  if (item === undefined) throw new Error("There is nothing to choose from");
  return item;
}

/** Turns one bit over. */
export function flipBit(bytes: Uint8Array, random: () => number): Bytes {
  const copy = new Uint8Array(bytes);
  const at = below(copy.length, random);
  copy[at] = (copy[at] ?? 0) ^ (1 << below(8, random));
  return copy;
}

/** What takes the place of a value of JSON. */
const INTRUDERS: readonly unknown[] = [
  null,
  true,
  -1,
  1e308,
  "",
  "\u0000",
  "A".repeat(10_000),
  [],
  {},
  [[]],
  { __proto__: null, constructor: {} },
  JSON.parse("[".repeat(2000) + "]".repeat(2000)),
];

/** Changes what bytes of JSON say: a value goes, doubles, or becomes another; or the text breaks. */
export function restructure(bytes: Uint8Array, random: () => number): Bytes {
  const text = new TextDecoder().decode(bytes);
  const choice = below(8, random);
  if (choice === 0) return new TextEncoder().encode(text.slice(0, below(text.length, random)));
  if (choice === 1) {
    const at = below(text.length, random);
    const inserted = oneOf(["[", "}", '"', ",", "\\", "0"], random);
    return new TextEncoder().encode(text.slice(0, at) + inserted + text.slice(at));
  }
  const document = JSON.parse(text);
  const places: { holder: Record<string, unknown>; name: string }[] = [];
  const walk = (holder: Record<string, unknown>): void => {
    for (const [name, value] of Object.entries(holder)) {
      places.push({ holder, name });
      if (typeof value === "object" && value !== null) walk(value as Record<string, unknown>);
    }
  };
  walk(document);
  const { holder, name } = oneOf(places, random);
  const value = holder[name];
  if (choice <= 3 && !Array.isArray(holder)) delete holder[name];
  else if (choice === 4 && Array.isArray(value)) value.push(...value);
  else if (choice === 5) holder[name] = [value];
  else if (choice === 6) {
    {
      const { holder: other, name: from } = oneOf(places, random);
      // A copy: what holds itself cannot be written down.
      holder[name] = structuredClone(other[from]);
    }
  } else holder[name] = oneOf(INTRUDERS, random);
  return new TextEncoder().encode(JSON.stringify(document));
}
