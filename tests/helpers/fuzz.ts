/**
 * Throws damaged input at a reader, as often as is asked for, so that each case can be had again.
 *
 * The argument `--long`, or `FUZZ_CASES`, says how many cases (a short run without), `FUZZ_SEED` the
 * seed of all, and `FUZZ_CASE` the one case to run.
 *
 * @module
 */

import { below, oneOf, seeded } from "./mutations.ts";

/** So many cases run with all other tests, to keep them fast. */
const SHORT_RUN = 300;

/** So many cases are a run of its own. */
const LONG_RUN = 100_000;

/** Seed of the short run: it is the same each time, so that a failure is of the change. */
const SHORT_SEED = 20_261_124;

/** No case takes as long, in milliseconds: inputs are a few kilobytes. */
const CASE_LIMIT_MS = 2000;

/** Makes and checks one case; its input is what it returns, for the report. */
export type FuzzCase = (random: () => number) => unknown;

/** Whoever has not ended by then never will, in milliseconds. */
const HANG_MS = 10_000;

/** How a target is run. */
export interface FuzzOptions {
  /** How many times fewer cases, where each takes long. @default 1 */
  readonly fraction?: number;
}

/**
 * Registers a test that runs a case many times.
 *
 * @param name What is thrown at what.
 * @param run One case: draws its input, and fails where a property does not hold.
 */
export function fuzz(name: string, run: FuzzCase, { fraction = 1 }: FuzzOptions = {}): void {
  Deno.test(`fuzz: ${name}`, async () => {
    const given = Deno.env.get("FUZZ_CASES") ??
      (Deno.args.includes("--long") ? LONG_RUN : undefined);
    const cases = Math.ceil(Number(given ?? SHORT_RUN) / fraction);
    const seed = Number(Deno.env.get("FUZZ_SEED") ?? (given ? Date.now() % 2 ** 31 : SHORT_SEED));
    const only = Deno.env.get("FUZZ_CASE");
    const start = performance.now();
    let slowestMs = 0;
    for (let at = Number(only ?? 0); at < (only ? Number(only) + 1 : cases); at++) {
      try {
        let ms = Infinity;
        // The machine may have paused, and will not do so again and again.
        for (let attempt = 0; attempt < 4 && ms > CASE_LIMIT_MS; attempt++) {
          ms = await timed(() => run(seeded(seed + at * 7919)));
        }
        if (ms > CASE_LIMIT_MS) throw new Error(`It took ${Math.round(ms)} ms`);
        slowestMs = Math.max(slowestMs, ms);
      } catch (cause) {
        throw new Error(`Repeat with FUZZ_CASES=${cases} FUZZ_SEED=${seed} FUZZ_CASE=${at}`, {
          cause,
        });
      }
    }
    if (given === undefined) return;
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    const line = `${name}: ${cases} cases in ${seconds} s, the slowest ${
      slowestMs.toFixed(1)
    } ms, FUZZ_SEED=${seed}\n`;
    Deno.stdout.writeSync(new TextEncoder().encode(line));
  });
}

async function timed(work: () => unknown): Promise<number> {
  const start = performance.now();
  let timer;
  // What nothing would ever settle ends a test without a word of which case it was.
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("It does not end")), HANG_MS);
  });
  try {
    await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
  return performance.now() - start;
}

/** What readers of text stumble over, whatever they read. */
const TOKENS = ["", " ", "\t", "\0", "\r\n", "\n", '"', "'", "\\", ",", ";", ":", "=", "<", ">"]
  .concat(["/", "//", "..", "@", "%", "%00", "%2e", "+", "-", "*", "#", "?", "&", "[", "]"])
  .concat(["{", "}", "é", "\u2028", "\ud800", "\ufeff", "0", "-1", "9".repeat(30), "1e999", "NaN"])
  .concat(["__proto__", "constructor", "null", "true", "http://", "169.254.169.254", "[::1]"]);

/**
 * Damages a text at one to four places: cuts, doubles, repeats, turns characters, and inserts.
 *
 * @param samples Good texts, to begin with and to take pieces from.
 * @param tokens What is inserted besides what any reader stumbles over.
 */
export function damagedText(
  samples: readonly string[],
  random: () => number,
  tokens: readonly string[] = [],
): string {
  let text = oneOf(samples, random);
  for (let times = below(5, random); times > 0; times--) {
    const at = below(text.length + 1, random);
    const end = at + below(Math.min(text.length - at, 40) + 1, random);
    const [before, piece, after] = [text.slice(0, at), text.slice(at, end), text.slice(end)];
    switch (below(6, random)) {
      case 0:
        text = before + after;
        break;
      case 1:
        text = before + piece.repeat(2) + after;
        break;
      case 2: {
        // Now and then thousands: what is not linear shows.
        const count = random() < 0.02 ? 8000 : below(20, random);
        text = before + oneOf([piece.slice(0, 3), ...TOKENS], random).repeat(count) + after;
        break;
      }
      case 3:
        text = before + String.fromCharCode(below(random() < 0.9 ? 128 : 65536, random)) + after;
        break;
      case 4:
        text = before + oneOf([...tokens, ...TOKENS], random) + after;
        break;
      default:
        text = before + oneOf(samples, random).slice(below(20, random));
    }
    // Doubled again and again, it would be the machine that is tried.
    text = text.slice(0, 64_000);
  }
  return text;
}

/** Damages bytes at one to four places. */
export function damagedBytes(
  sample: Uint8Array,
  random: () => number,
): Uint8Array<ArrayBuffer> {
  let bytes = new Uint8Array(sample);
  for (let times = 1 + below(4, random); times > 0 && bytes.length > 0; times--) {
    const at = below(bytes.length, random);
    switch (below(5, random)) {
      case 0:
        bytes = bytes.slice(0, at);
        break;
      case 1:
        bytes.copyWithin(at, below(bytes.length, random), below(bytes.length, random));
        break;
      case 2:
        bytes.fill(oneOf([0, 0xff, 0x30, 0x20], random), at, at + below(32, random));
        break;
      default:
        bytes[at] = below(256, random);
    }
  }
  return bytes;
}

/** Text as a header's value arrives: what cannot be in one is not. */
export function asHeader(text: string): string {
  return text.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, "");
}
