/**
 * Answers a registry's wish to know who asks.
 *
 * @see https://distribution.github.io/distribution/spec/auth/token/
 * @module
 */

import { Buffer } from "node:buffer";
import { LRUCache } from "lru-cache";
import { ServiceError } from "../errors.ts";
import { SingleFlight } from "../single_flight.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import type { Fetch, FetchInit } from "./fetch.ts";
import { requestToken, type Token } from "./token.ts";

/** All tokens together take no more memory than this; a token of Harbor's has about 1.5 KB. */
const TOKENS_LIMIT_BYTES = 8 * 1024 * 1024;

/** A user name and password, or a name and an access token in the password's place. */
export interface Credentials {
  /** May be empty where the registry takes the password alone. */
  readonly username: string;
  /** Never logged. */
  readonly password: string;
}

/** Options of {@linkcode withAuth}. */
export interface AuthOptions {
  /** The registry's address. */
  readonly registry: URL;
  /** Who we are; anonymous without. */
  readonly credentials?: Credentials | undefined;
  /** Gives the password as it is now. @default that of the credentials, always */
  readonly readPassword?: (() => Promise<string>) | undefined;
  /** A steady clock in milliseconds. @default performance.now */
  readonly now?: () => number;
}

/**
 * Adds authentication: anonymous as long as the registry does not mind, then Basic or a token,
 * whichever it challenges us to. A token is asked for once for all who wait and kept while it holds.
 *
 * @param fetch The layer below, which must not follow a challenge of another origin.
 * @param options Who we are.
 * @returns A fetch whose answer is 401 only if the registry refuses what we have.
 * @throws {ServiceError} `source-refused` for a user name that cannot be sent.
 */
export function withAuth(fetch: Fetch, options: AuthOptions): Fetch {
  const authorizer = new Authorizer(fetch, options);
  return async (url, init) => {
    const { scope = "" } = init;
    const used = await authorizer.remembered(scope);
    const first = await send(fetch, url, init, used);
    if (first.status !== 401) return first;

    let refusal = first;
    if (used !== undefined && !challengesOf(first).some(isBearer)) {
      // Harbor answers an expired token with a Basic challenge; asked by nobody it wants a token.
      await first.body?.cancel();
      refusal = await send(fetch, url, init, undefined);
      if (refusal.status !== 401) return refusal;
    }
    const answer = await authorizer.answer(challengesOf(refusal), { scope, refused: used });
    if (answer === undefined) return refusal;
    await refusal.body?.cancel();
    return await send(fetch, url, init, answer);
  };
}

/** A token, and what it was asked for: not always what we wanted it for. */
interface ScopedToken extends Token {
  readonly asked: string;
}

/** Knows what to say to a challenge. */
class Authorizer {
  readonly #fetch: Fetch;
  readonly #options: AuthOptions;
  readonly #now: () => number;
  readonly #requests = new SingleFlight<Token>();
  readonly #tokens = new LRUCache<string, ScopedToken>({
    maxSize: TOKENS_LIMIT_BYTES,
    sizeCalculation: ({ authorization }) => authorization.length,
  });
  #wantsBasic = false;

  constructor(fetch: Fetch, options: AuthOptions) {
    this.#fetch = fetch;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    if (options.credentials?.username.includes(":")) {
      // It would move the border between name and password (RFC 7617, 2).
      throw new ServiceError("source-refused", "Registry user name cannot hold a colon");
    }
  }

  /** What the registry took for this scope before, as far as it still holds. */
  async remembered(scope: string): Promise<string | undefined> {
    return this.#wantsBasic ? await this.#basic() : this.#token(scope)?.authorization;
  }

  /** What to say to the challenges; undefined where we have nothing that was not refused yet. */
  async answer(
    challenges: readonly Challenge[],
    { scope, refused }: { readonly scope: string; readonly refused: string | undefined },
  ): Promise<string | undefined> {
    const bearer = challenges.find(isBearer);
    if (bearer !== undefined) {
      this.#wantsBasic = false;
      // Azure wants another scope for tags than for all else in the same repository.
      const asked = bearer.parameters.get("scope") ?? scope;
      const known = this.#token(scope);
      // Others that were refused in the meantime have asked for a new one already.
      if (known?.asked === asked && known.authorization !== refused) return known.authorization;
      const token = await this.#requests.join(
        JSON.stringify([scope, asked]),
        () => this.#request(bearer, { scope, asked }),
      );
      return token.authorization;
    }
    const basic = challenges.some(({ scheme }) => scheme === "basic")
      ? await this.#basic()
      : undefined;
    if (basic === undefined || basic === refused) return undefined;
    this.#wantsBasic = true;
    return basic;
  }

  #token(scope: string): ScopedToken | undefined {
    const token = this.#tokens.get(scope);
    return token !== undefined && token.expiresAtMs > this.#now() ? token : undefined;
  }

  /** RFC 7617, in UTF-8. */
  async #basic(): Promise<string | undefined> {
    const { credentials, readPassword } = this.#options;
    if (credentials === undefined) return undefined;
    const { username } = credentials;
    const password = await readPassword?.() ?? credentials.password;
    return `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`;
  }

  async #request(
    { parameters }: Challenge,
    { scope, asked }: { readonly scope: string; readonly asked: string },
  ): Promise<Token> {
    const token = await requestToken(this.#fetch, {
      registry: this.#options.registry,
      realm: parameters.get("realm") ?? "",
      service: parameters.get("service"),
      scope: asked,
      authorization: await this.#basic(),
      now: this.#now,
    });
    this.#tokens.set(scope, { ...token, asked });
    return token;
  }
}

function send(
  fetch: Fetch,
  url: string,
  init: FetchInit,
  authorization: string | undefined,
): Promise<Response> {
  return fetch(
    url,
    authorization === undefined ? init : { ...init, headers: { ...init.headers, authorization } },
  );
}

function challengesOf(response: Response): Challenge[] {
  return parseChallenges(response.headers.get("www-authenticate") ?? "");
}

function isBearer({ scheme }: Challenge): boolean {
  return scheme === "bearer";
}
