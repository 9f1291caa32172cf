/**
 * Asks a token server for a token.
 *
 * @see https://distribution.github.io/distribution/spec/auth/token/
 * @module
 */

import * as v from "valibot";
import { isServiceError, ServiceError } from "../errors.ts";
import { SENT_THERE } from "../network_advice.ts";
import { reachOf } from "./addresses.ts";
import type { Fetch } from "./fetch.ts";
import { ensureOk, readJson } from "./response.ts";

/** Tokens of all known registries have a few kilobytes (go-containerregistry takes no more). */
const TOKEN_BODY_LIMIT_BYTES = 64 * 1024;

/** How long a token holds that does not say so (token specification, `expires_in`). */
const TOKEN_DEFAULT_SECONDS = 60;

/** A token is renewed so much earlier than it expires that a request under way does not fail. */
const TOKEN_EXPIRY_MARGIN = 0.1;

const tokenSchema = v.object({
  token: v.optional(v.nullable(v.string())),
  access_token: v.optional(v.nullable(v.string())),
  expires_in: v.optional(v.nullable(v.number())),
});

/** A token as it is sent. */
export interface Token {
  /** The value of the `Authorization` header. */
  readonly authorization: string;
  /** Until when it is used, in milliseconds of the clock that was given. */
  readonly expiresAtMs: number;
}

/** What a token is asked for with. */
export interface TokenRequest {
  /** The registry that sent the challenge. */
  readonly registry: URL;
  /** The token server's address, as the challenge says. */
  readonly realm: string;
  /** The registry's name for itself, as the challenge says. */
  readonly service: string | undefined;
  /** Space-separated scopes. */
  readonly scope: string;
  /** Who asks; anonymous without. */
  readonly authorization: string | undefined;
  /** A steady clock in milliseconds. */
  readonly now: () => number;
}

/**
 * Asks for a token.
 *
 * @param fetch Sends the request; must not authenticate by itself.
 * @param request What for.
 * @returns A token.
 * @throws {ServiceError} `source-refused` where the server refuses us, `source-invalid` where realm
 * or answer make no sense, or what `fetch` throws.
 */
export async function requestToken(fetch: Fetch, request: TokenRequest): Promise<Token> {
  const url = checkRealm(request.realm, request.registry);
  if (request.service !== undefined) url.searchParams.set("service", request.service);
  for (const scope of request.scope.split(" ").filter(Boolean)) {
    url.searchParams.append("scope", scope);
  }
  const response = await ask(fetch, url, request);
  const action = `get a token from ${url.host}`;
  if (response.status === 404) {
    await response.body?.cancel();
    // It is the token server that is not there: it does not say anything about firmware.
    throw new ServiceError("source-invalid", `Cannot ${action}: the answer is 404`);
  }
  await ensureOk(response, action);
  const answer = await readJson(response, {
    action,
    limit: TOKEN_BODY_LIMIT_BYTES,
    schema: tokenSchema,
  });
  const token = answer.token || answer.access_token;
  if (!token || !/^[\x21-\x7e]+$/.test(token)) {
    throw new ServiceError("source-invalid", `Cannot ${action}: the answer holds no token`);
  }
  const seconds = answer.expires_in && answer.expires_in > 0
    ? answer.expires_in
    : TOKEN_DEFAULT_SECONDS;
  return {
    authorization: `Bearer ${token}`,
    expiresAtMs: request.now() + seconds * 1000 * (1 - TOKEN_EXPIRY_MARGIN),
  };
}

async function ask(fetch: Fetch, url: URL, request: TokenRequest): Promise<Response> {
  const { registry, authorization } = request;
  try {
    return await fetch(url.href, {
      method: "GET",
      headers: authorization === undefined ? {} : { authorization },
      kind: "token",
      documentLimitBytes: TOKEN_BODY_LIMIT_BYTES,
    });
  } catch (error) {
    const isSilent = isServiceError(error, "source-unavailable", "source-timeout");
    if (!isSilent || url.host === registry.host) throw error;
    // What is silent is not at the address that the operator has given, and may be unknown there.
    throw new ServiceError(error.code, `Cannot get a token from ${url.host}, ${SENT_THERE}`, {
      cause: error.cause ?? error,
      retryAfterSeconds: error.retryAfterSeconds,
    });
  }
}

/**
 * The realm comes from whoever answered, and our credentials go there: no unencrypted channel where
 * the registry's is encrypted, and no address inside the network where the registry is outside.
 */
function checkRealm(realm: string, registry: URL): URL {
  const url = URL.canParse(realm) ? new URL(realm) : undefined;
  const isAllowed = url !== undefined &&
    (url.protocol === "https:" || (url.protocol === "http:" && registry.protocol === "http:")) &&
    url.username === "" && url.password === "" &&
    (reachOf(url.hostname) === "anywhere" || reachOf(registry.hostname) !== "anywhere");
  if (isAllowed) return url;
  throw new ServiceError(
    "source-invalid",
    `Registry names a token server that is not to be trusted: ${url?.origin ?? "no web address"}`,
  );
}
