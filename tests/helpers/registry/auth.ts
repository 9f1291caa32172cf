/**
 * The door of a fake registry: nobody's, Basic, or tokens with an endpoint that issues them.
 *
 * @module
 * @see https://distribution.github.io/distribution/spec/auth/token/
 */

import { errorAnswer } from "./answers.ts";
import type { RegistryRequest } from "./request.ts";

/** Who may come in. */
export interface Credentials {
  /** Without a colon. */
  readonly username: string;
  /** Any text. */
  readonly password: string;
}

/** Lets everybody in. */
export interface AnonymousAuth {
  /** Tells the modes apart. */
  readonly mode: "anonymous";
}

/** Asks for the same credentials with every request. */
export interface BasicAuth extends Credentials {
  /** Tells the modes apart. */
  readonly mode: "basic";
}

/** Asks for a token of its own token endpoint, `/token`. */
export interface BearerAuth {
  /** Tells the modes apart. */
  readonly mode: "bearer";
  /** Who gets a token; wrong ones get none, also where anonymous callers do. @default nobody */
  readonly credentials?: Credentials;
  /** Gives tokens to callers without credentials. @default true when there are no credentials */
  readonly anonymous?: boolean;
  /** Which member of the answer holds the token. @default "token" */
  readonly tokenMember?: "token" | "access_token" | "both";
  /** Seconds of `expires_in`, or `"absent"`, which means 60 by the specification. @default 300 */
  readonly expiresIn?: number | "absent";
  /** What the challenge asks for; a comma in it makes parsers stumble. @default "pull" */
  readonly actions?: "pull" | "pull,push" | "pull,push,delete";
  /** Where the challenge sends clients. @default the registry's own `/token` */
  readonly realm?: string;
  /**
   * Answers a refused Authorization with a Basic challenge, and lets Basic credentials in.
   * @default false
   */
  readonly harborHabit?: boolean;
}

/** How a fake registry guards its door. */
export type RegistryAuth = AnonymousAuth | BasicAuth | BearerAuth;

/** A token that was given out. */
export interface IssuedToken {
  /** What a client sends after `Bearer`. */
  readonly token: string;
  /** As asked for, such as `repository:dev/led:pull`. */
  readonly scopes: readonly string[];
  /** For whom; `undefined` for an anonymous caller. */
  readonly username: string | undefined;
  /** From when on it is refused, in milliseconds of the registry's `now`. */
  readonly expiresAt: number;
}

/** What the door needs to know of its house. */
export interface DoorOptions {
  /** Current time in milliseconds. */
  readonly now: () => number;
  /** Base address of the registry, for the challenge. */
  readonly origin: () => string;
}

/** Name of the service in challenges, and what tokens are asked for. */
const SERVICE = "fake-registry";
const DEFAULT_EXPIRES_IN_SECONDS = 300;
/** Lifetime of a token whose `expires_in` is absent, by the specification. */
const UNSTATED_LIFETIME_SECONDS = 60;

/** Decides who comes in, and issues the tokens that it accepts. */
export class Door {
  readonly #auth: RegistryAuth;
  readonly #options: DoorOptions;
  readonly #issued: IssuedToken[] = [];
  readonly #valid = new Map<string, IssuedToken>();

  /** Guards by `auth`. */
  constructor(auth: RegistryAuth, options: DoorOptions) {
    this.#auth = auth;
    this.#options = options;
  }

  /** Every token that was given out, oldest first. */
  get issued(): readonly IssuedToken[] {
    return this.#issued;
  }

  /** Makes all tokens given out so far worthless. */
  revokeTokens(): void {
    this.#valid.clear();
  }

  /** Answers a request that may not come in, and `undefined` to one that may. */
  refuse(request: RegistryRequest): Response | undefined {
    switch (this.#auth.mode) {
      case "anonymous":
        return undefined;
      case "basic":
        return isBasic(request, this.#auth) ? undefined : unauthorized(`Basic realm="registry"`);
      case "bearer":
        return this.#refuseBearer(request, this.#auth);
    }
  }

  /** Answers a request to the token endpoint. */
  issue(request: RegistryRequest): Response {
    const auth = this.#auth;
    if (auth.mode !== "bearer" || request.method !== "GET") {
      return errorAnswer(404, { code: "UNSUPPORTED", message: "no such endpoint" });
    }
    const { anonymous = auth.credentials === undefined } = auth;
    const known = auth.credentials !== undefined && isBasic(request, auth.credentials);
    if (!known && (request.authorization !== undefined || !anonymous)) {
      return unauthorized(`Basic realm="${SERVICE}"`);
    }
    const lifetime = auth.expiresIn ?? DEFAULT_EXPIRES_IN_SECONDS;
    const seconds = lifetime === "absent" ? UNSTATED_LIFETIME_SECONDS : lifetime;
    const issued = {
      token: `token-${this.#issued.length + 1}-${crypto.randomUUID()}`,
      scopes: new URL(request.path, this.#options.origin()).searchParams.getAll("scope"),
      username: known ? auth.credentials?.username : undefined,
      expiresAt: this.#options.now() + seconds * 1000,
    };
    this.#issued.push(issued);
    this.#valid.set(issued.token, issued);
    const member = auth.tokenMember ?? "token";
    return Response.json({
      ...(member !== "access_token" && { token: issued.token }),
      ...(member !== "token" && { access_token: issued.token }),
      ...(lifetime !== "absent" && { expires_in: lifetime }),
    });
  }

  #refuseBearer(request: RegistryRequest, auth: BearerAuth): Response | undefined {
    if (auth.harborHabit && auth.credentials && isBasic(request, auth.credentials)) {
      return undefined;
    }
    const [, token] = /^Bearer (.+)$/i.exec(request.authorization ?? "") ?? [];
    const issued = this.#valid.get(token ?? "");
    const alive = issued !== undefined && issued.expiresAt > this.#options.now();
    if (alive && allows(issued, request)) return undefined;
    if (auth.harborHabit && request.authorization !== undefined) {
      return unauthorized(`Basic realm="harbor"`);
    }
    const challenge = [
      `realm="${auth.realm ?? `${this.#options.origin()}/token`}"`,
      `service="${SERVICE}"`,
      ...(request.repository === undefined
        ? []
        : [`scope="repository:${request.repository}:${auth.actions ?? "pull"}"`]),
      ...(token === undefined ? [] : [`error="${alive ? "insufficient_scope" : "invalid_token"}"`]),
    ];
    return unauthorized(`Bearer ${challenge.join(",")}`);
  }
}

/** Makes the header that proves credentials to Basic. */
export function basicAuthorization({ username, password }: Credentials): string {
  const bytes = new TextEncoder().encode(`${username}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

function isBasic(request: RegistryRequest, credentials: Credentials): boolean {
  return request.authorization === basicAuthorization(credentials);
}

function allows({ scopes }: IssuedToken, { repository }: RegistryRequest): boolean {
  return repository === undefined || scopes.some((scope) => {
    const [type, name, actions] = scope.split(":");
    return type === "repository" && name === repository && actions?.split(",").includes("pull");
  });
}

function unauthorized(challenge: string): Response {
  const error = { code: "UNAUTHORIZED", message: "authentication required" };
  return errorAnswer(401, error, { "www-authenticate": challenge });
}
