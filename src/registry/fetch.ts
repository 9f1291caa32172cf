/**
 * The shape of `fetch` that the layers of the transport share, and its lowest layer.
 *
 * @module
 */

import { describeError, isServiceError, ServiceError } from "../errors.ts";

/**
 * What a request asks for. A request that a registry redirects to a storage keeps its kind.
 *
 * - `tags`: the list of a repository's tags.
 * - `manifest`: a manifest or an index, or only its digest.
 * - `blob`: a layer.
 * - `referrers`: what refers to a manifest, such as its signatures.
 * - `token`: access, at the token server.
 * - `ping`: whether there is a registry.
 * - `other`: whoever sent it did not say.
 */
export type RequestKind = "tags" | "manifest" | "blob" | "referrers" | "token" | "ping" | "other";

/** What a request to a registry consists of. */
export interface FetchInit {
  /** Only methods that change nothing: each request may be sent again. */
  readonly method: "GET" | "HEAD";
  /** Request headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** What access the request needs, in the words of a token's scope, such as `repository:a/b:pull`. */
  readonly scope?: string;
  /** The longest answer in bytes, where it is a document to be read whole. */
  readonly documentLimitBytes?: number;
  /** What it asks for, for the metrics. @default other */
  readonly kind?: RequestKind;
  /** Ends the request; the layer that sets limits sets it. */
  readonly signal?: AbortSignal;
}

/** Sends a request and resolves to the head of its answer. */
export type Fetch = (url: string, init: FetchInit) => Promise<Response>;

/** Options of {@linkcode createFetch}. */
export interface CreateFetchOptions {
  /** Sent with each request. */
  readonly userAgent: string;
  /** Certificates in PEM that are trusted besides those of public authorities, which Deno brings. */
  readonly caCertificates?: readonly string[];
}

/**
 * The platform's `fetch`, without redirects, compression or errors of its own kind.
 *
 * @param options User agent and private certificate authorities.
 * @returns A fetch whose failures are ServiceErrors of code `source-unavailable`.
 */
export function createFetch(options: CreateFetchOptions): Fetch {
  const { caCertificates = [] } = options;
  const client = caCertificates.length === 0
    ? {}
    : { client: Deno.createHttpClient({ caCerts: [...caCertificates] }) };
  return async (url, { method, headers, signal }) => {
    try {
      return await fetch(url, {
        ...client,
        method,
        headers: {
          // Blobs are hashed as they were stored: no coding on the way.
          "accept-encoding": "identity",
          "user-agent": options.userAgent,
          ...headers,
        },
        redirect: "manual",
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (cause) {
      throw asUnavailable(isServiceError(cause) ? cause : withoutQuery(cause, url));
    }
  };
}

/** What `fetch` threw names the whole address: a storage's is signed in its query. */
function withoutQuery(cause: unknown, url: string): string {
  return describeError(cause).replaceAll(new URL(url).search, "");
}

/**
 * Gives a network failure its code. What was thrown on purpose passes unchanged.
 *
 * @param cause What `fetch` or a body threw.
 * @returns A ServiceError.
 */
export function asUnavailable(cause: unknown): ServiceError {
  return cause instanceof ServiceError
    ? cause
    : new ServiceError("source-unavailable", "Registry cannot be reached", { cause });
}
