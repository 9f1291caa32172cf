/**
 * Reads `WWW-Authenticate`, where a registry says how it wants to be asked.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1
 * @module
 */

/** One way to authenticate. */
export interface Challenge {
  /** In lower case, such as `bearer`. */
  readonly scheme: string;
  /** By their names in lower case. The first of several equal names counts. */
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = String.raw`[!#$%&'*+.^_\`|~0-9A-Za-z-]+`;

/** `name=value` or `name="value"`, as in `realm="https://auth/token"`. */
const PARAMETER = new RegExp(
  String.raw`(${TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|(${TOKEN}))`,
  "y",
);
const SCHEME = new RegExp(TOKEN, "y");
/** Credentials in one piece, as `Negotiate` has them: not of use here, but not to stumble over. */
const TOKEN68 = /[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|$))/y;
const SPACE = /[ \t]*/y;
const SEPARATORS = /[ \t,]*/y;

/**
 * Reads the challenges of a header, of which there may be several, also in one value.
 *
 * @param header The header's value.
 * @returns The challenges in their order, up to the first place that is not of the grammar.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const [bearer] = parseChallenges('Bearer realm="https://auth/token",scope="repository:a:pull,push"');
 * assert.equal(bearer?.parameters.get("scope"), "repository:a:pull,push");
 * ```
 */
export function parseChallenges(header: string): Challenge[] {
  const scanner = new Scanner(header);
  const challenges: Challenge[] = [];
  scanner.take(SEPARATORS);
  while (!scanner.atEnd) {
    const scheme = scanner.take(SCHEME)?.[0];
    if (scheme === undefined) break;
    scanner.take(SPACE);
    const parameters = readParameters(scanner);
    challenges.push({ scheme: scheme.toLowerCase(), parameters });
    scanner.take(SEPARATORS);
  }
  return challenges;
}

function readParameters(scanner: Scanner): Map<string, string> {
  const parameters = new Map<string, string>();
  for (;;) {
    const match = scanner.take(PARAMETER);
    if (match === undefined) {
      if (parameters.size === 0) scanner.take(TOKEN68);
      return parameters;
    }
    const [, name = "", quoted, plain = ""] = match;
    const key = name.toLowerCase();
    const value = quoted?.replaceAll(/\\(.)/g, "$1") ?? plain;
    if (!parameters.has(key)) parameters.set(key, value);
    scanner.take(SEPARATORS);
  }
}

/** Takes one pattern after the other from a text. */
class Scanner {
  readonly #text: string;
  #position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get atEnd(): boolean {
    return this.#position >= this.#text.length;
  }

  take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#position;
    const match = pattern.exec(this.#text) ?? undefined;
    this.#position += match?.[0].length ?? 0;
    return match;
  }
}
