/**
 * A registry in this process, for what a real one does not do on command.
 *
 * @module
 */

import { onFreePort } from "./free_port.ts";
import type { Artifact } from "./manifest.ts";
import {
  answerBlob,
  answerManifest,
  answerReferrers,
  answerTags,
  errorAnswer,
  type TagListing,
} from "./registry/answers.ts";
import { Door, type IssuedToken, type RegistryAuth } from "./registry/auth.ts";
import { Content } from "./registry/content.ts";
import { ConnectionCut, type Fault, held } from "./registry/faults.ts";
import { Gate } from "./registry/gate.ts";
import {
  BLOBS_PATH,
  matches,
  readRequest,
  readStorageRequest,
  type RegistryRequest,
  type RequestMatch,
} from "./registry/request.ts";

/** How a fake registry differs from the plainest one. */
export interface FakeRegistryOptions {
  /** Who may come in. @default everybody */
  readonly auth?: RegistryAuth;
  /** How tags are listed. @default all on one page, in lexical order */
  readonly tags?: TagListing;
  /** Sends clients to {@linkcode FakeRegistry.storageOrigin} for blobs, by 307. @default false */
  readonly redirectBlobs?: boolean;
  /** Offers the referrers API of distribution-spec 1.1; without it 404. @default false */
  readonly referrers?: boolean;
  /** Current time in milliseconds, by which tokens grow old. @default `Date.now` */
  readonly now?: () => number;
}

/** A fault together with the requests that it befalls. */
export interface FaultRule {
  /** Which requests; all of them when empty. */
  readonly match: RequestMatch;
  /** How many of these, from the next one on. @default for ever */
  readonly times?: number;
  /** One of `registry/faults.ts`, or the test's own. */
  readonly respond: Fault;
}

/**
 * Serves the pull side of the distribution-spec on a free loopback port until it is disposed of.
 *
 * A request is recorded, passes the door, then the faults in the order in which they were added,
 * and only then gets its true answer. Faults therefore never befall a request that was refused
 * with 401.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
 */
export class FakeRegistry implements AsyncDisposable {
  readonly #content = new Content();
  readonly #door: Door;
  readonly #faults: { readonly rule: FaultRule; left: number }[] = [];
  readonly #options: FakeRegistryOptions;
  readonly #requests: RegistryRequest[] = [];
  readonly #closing = new AbortController();
  readonly #registry: Deno.HttpServer<Deno.NetAddr>;
  readonly #storage: Deno.HttpServer<Deno.NetAddr>;

  /** Starts to listen. */
  constructor(options: FakeRegistryOptions = {}) {
    this.#options = options;
    this.#door = new Door(options.auth ?? { mode: "anonymous" }, {
      now: options.now ?? Date.now,
      origin: () => this.origin,
    });
    this.#registry = this.#listen((request) => this.#serveRegistry(request));
    this.#storage = this.#listen((request) => this.#serveStorage(request));
  }

  /** Host and port, as references begin with. */
  get host(): string {
    return `127.0.0.1:${this.#registry.addr.port}`;
  }

  /** Base address, without a slash at its end. */
  get origin(): string {
    return `http://${this.host}`;
  }

  /** Base address of the storage behind, where blobs are redirected to. */
  get storageOrigin(): string {
    return `http://127.0.0.1:${this.#storage.addr.port}`;
  }

  /** All requests so far, refused ones too, each from the moment it arrived. */
  get requests(): readonly RegistryRequest[] {
    return this.#requests;
  }

  /** All tokens given out so far, oldest first. */
  get tokens(): readonly IssuedToken[] {
    return this.#door.issued;
  }

  /** Counts the requests so far that are meant. */
  count(match: RequestMatch): number {
    return this.#requests.filter((request) => matches(request, match)).length;
  }

  /** Starts {@linkcode requests} anew. */
  forgetRequests(): void {
    this.#requests.length = 0;
  }

  /** Stores an artifact with all below it; without a tag it can be had by digest only. */
  push(repository: string, tag: string | undefined, artifact: Artifact): void {
    this.#content.push(repository, tag, artifact);
  }

  /** Moves a tag to a manifest that is there. @throws {Error} It is not. */
  tag(repository: string, tag: string, digest: string): void {
    this.#content.tag(repository, tag, digest);
  }

  /** Takes a tag away, and leaves the manifest. */
  deleteTag(repository: string, tag: string): void {
    this.#content.deleteTag(repository, tag);
  }

  /** Takes a repository away with all that it holds. */
  deleteRepository(repository: string): void {
    this.#content.deleteRepository(repository);
  }

  /** Makes all tokens given out so far worthless. */
  revokeTokens(): void {
    this.#door.revokeTokens();
  }

  /** Lets something go wrong from now on. The answer ends it early, by hand or by `using`. */
  fault(rule: FaultRule): Disposable {
    const entry = { rule, left: rule.times ?? Infinity };
    this.#faults.push(entry);
    return {
      [Symbol.dispose]: (): void => {
        entry.left = 0;
      },
    };
  }

  /** Holds the requests that are meant until the gate is opened. */
  gate(match: RequestMatch): Gate {
    const gate = new Gate();
    this.fault({ match, respond: held(gate) });
    return gate;
  }

  /** Stops at once, cutting off whoever is still being answered. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await Promise.all([this.#registry.finished, this.#storage.finished]);
  }

  #listen(serve: (request: Request) => Promise<Response>): Deno.HttpServer<Deno.NetAddr> {
    const options = {
      hostname: "127.0.0.1",
      signal: this.#closing.signal,
      onListen: (): void => {},
      onError: (error: unknown): Response => {
        if (error instanceof ConnectionCut) return new Response(null, { status: 500 });
        throw error;
      },
    };
    // Of its own: nobody else answers there once this registry is gone.
    return onFreePort((port) => Deno.serve({ ...options, port }, serve));
  }

  async #serveRegistry(request: Request): Promise<Response> {
    const asked = readRequest(request);
    this.#requests.push(asked);
    const refusal = asked.kind === "token" ? undefined : this.#door.refuse(asked);
    const response = refusal ?? await this.#through(asked, () => this.#answer(asked));
    response.headers.set("docker-distribution-api-version", "registry/2.0");
    return response;
  }

  async #serveStorage(request: Request): Promise<Response> {
    const asked = readStorageRequest(request);
    this.#requests.push(asked);
    return await this.#through(asked, () => this.#answerStorage(asked));
  }

  /** Leads a request through the faults that befall it, the first one outermost. */
  async #through(asked: RegistryRequest, genuine: () => Response): Promise<Response> {
    const closing = this.#closing.signal;
    const faults = [...this.#faults];
    const answer = async (): Promise<Response> => {
      for (let fault = faults.shift(); fault; fault = faults.shift()) {
        if (fault.left === 0 || !matches(asked, fault.rule.match)) continue;
        fault.left--;
        return await fault.rule.respond({ request: asked, closing, answer });
      }
      return genuine();
    };
    return await answer();
  }

  #answer(asked: RegistryRequest): Response {
    if (asked.kind === "token") return this.#door.issue(asked);
    if (asked.method !== "GET" && asked.method !== "HEAD") return unsupported(405);
    switch (asked.kind) {
      case "ping":
        return Response.json({});
      case "tags":
        return answerTags(this.#content, asked, {
          listing: this.#options.tags ?? {},
          origin: this.origin,
        });
      case "manifest":
        return answerManifest(this.#content, asked);
      case "blob":
        return this.#options.redirectBlobs
          ? this.#redirectBlob(asked)
          : answerBlob(this.#content, asked);
      case "referrers":
        return this.#options.referrers ? answerReferrers(this.#content, asked) : unsupported(404);
      default:
        return unsupported(404);
    }
  }

  #redirectBlob(asked: RegistryRequest): Response {
    const location = new URL(`${BLOBS_PATH}${asked.reference}`, this.storageOrigin);
    location.search = `${new URLSearchParams({
      repository: asked.repository ?? "",
      signedFor: asked.method,
    })}`;
    return new Response(null, { status: 307, headers: { location: location.href } });
  }

  /** Answers as S3 does: an address signed for one method serves no other, and is proof enough. */
  #answerStorage(asked: RegistryRequest): Response {
    if (asked.authorization !== undefined) {
      return storageError(400, "InvalidArgument", "Only one auth mechanism allowed");
    }
    if (new URL(asked.path, this.storageOrigin).searchParams.get("signedFor") !== asked.method) {
      return storageError(403, "SignatureDoesNotMatch", "Signed for another method");
    }
    return answerBlob(this.#content, asked);
  }
}

function unsupported(status: 404 | 405): Response {
  return errorAnswer(status, { code: "UNSUPPORTED", message: "the operation is unsupported" });
}

function storageError(status: number, code: string, message: string): Response {
  const body = `<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  return new Response(body, { status, headers: { "content-type": "application/xml" } });
}
