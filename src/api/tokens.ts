/**
 * What devices have to know to be answered: a bearer token (RFC 6750), or a user's name and
 * password (RFC 7617).
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import { describeError } from "../errors.ts";
import { describeReadError } from "../files.ts";
import { logger } from "../log.ts";

const log = logger("api");

/** A file of tokens that cannot be used, with the reason in one sentence, without any secret. */
export class TokenFileError extends Error {
  /** Always `TokenFileError`. */
  override readonly name = "TokenFileError";
}

/** Everything that opens the door, as hashes: the secrets themselves are not kept. */
export class DeviceTokens {
  readonly #path: string;
  #digests: readonly Uint8Array[];
  #schemes: ReadonlySet<Scheme>;

  private constructor(path: string, { digests, schemes }: Tokens) {
    this.#path = path;
    this.#digests = digests;
    this.#schemes = schemes;
  }

  /**
   * Reads a file of tokens: one a line, either a bearer token or `user:password`. Empty lines and
   * those that begin with `#` do not count, nor does white space around a line.
   *
   * @param path The file.
   * @returns What it holds.
   * @throws {TokenFileError} It cannot be read, holds none or something else.
   */
  static async read(path: string): Promise<DeviceTokens> {
    return new DeviceTokens(path, await readTokens(path));
  }

  /**
   * What a client is told that knows none. Basic comes first: clients that look at one challenge
   * only (ESP-IDF) can answer that one.
   */
  get challenge(): string {
    return SCHEMES.filter((scheme) => this.#schemes.has(scheme))
      .map((scheme) => CHALLENGES[scheme])
      .join(", ");
  }

  /**
   * Reads the file again. Where it cannot be used, what was read before stays, and it is logged.
   *
   * @returns When it is done. It never fails.
   */
  async reload(): Promise<void> {
    try {
      const { digests, schemes } = await readTokens(this.#path);
      this.#digests = digests;
      this.#schemes = schemes;
      log.info("Device tokens are in use", { count: digests.length });
    } catch (error) {
      log.error("Device tokens are refused, those before stay in use", {
        reason: describeError(error),
      });
    }
  }

  /**
   * Tells whether a client knows a token. How long that takes depends on how many there are, not on
   * how much of one is right.
   *
   * @param authorization The header of its request.
   * @returns Whether it does.
   */
  accepts(authorization: string | undefined): boolean {
    const [, scheme, value] = /^(basic|bearer) +(\S+)$/i.exec(authorization ?? "") ?? [];
    if (scheme === undefined || value === undefined) return false;
    const digest = scheme.toLowerCase() === "basic"
      ? digestOf("basic", Buffer.from(value, "base64"))
      : digestOf("bearer", Buffer.from(value));
    let isKnown = false;
    for (const known of this.#digests) isKnown = timingSafeEqual(known, digest) || isKnown;
    return isKnown;
  }
}

type Scheme = "basic" | "bearer";

const SCHEMES: readonly Scheme[] = ["basic", "bearer"];

const CHALLENGES: Readonly<Record<Scheme, string>> = {
  basic: 'Basic realm="otaflux", charset="UTF-8"',
  bearer: 'Bearer realm="otaflux"',
};

/** What can follow `Bearer` (RFC 6750, 2.1). */
const BEARER_TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;

interface Tokens {
  readonly digests: readonly Uint8Array[];
  readonly schemes: ReadonlySet<Scheme>;
}

async function readTokens(path: string): Promise<Tokens> {
  let text;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    const reason = describeReadError(cause);
    throw new TokenFileError(`cannot read ${JSON.stringify(path)}: ${reason}`);
  }
  const tokens = parse(text, path);
  if (tokens.digests.length > 0) return tokens;
  throw new TokenFileError(`${JSON.stringify(path)} holds no token, want one a line`);
}

function parse(text: string, path: string): Tokens {
  const digests: Uint8Array[] = [];
  const schemes = new Set<Scheme>();
  for (const [index, line] of text.split("\n").entries()) {
    const token = line.trim();
    if (token === "" || token.startsWith("#")) continue;
    const scheme = schemeOf(token);
    if (scheme === undefined) {
      throw new TokenFileError(
        `line ${index + 1} of ${JSON.stringify(path)} is neither a bearer token nor user:password`,
      );
    }
    schemes.add(scheme);
    digests.push(digestOf(scheme, Buffer.from(token)));
  }
  return { digests, schemes };
}

/** A colon tells: no bearer token has one, and the first one ends a user's name. */
function schemeOf(token: string): Scheme | undefined {
  if (BEARER_TOKEN.test(token)) return "bearer";
  return /^[^:]+:./.test(token) ? "basic" : undefined;
}

/** Hashed, secrets of all lengths are compared alike. */
function digestOf(scheme: Scheme, secret: Uint8Array): Uint8Array {
  return createHash("sha256").update(`${scheme} `).update(secret).digest();
}
