/**
 * Reading of requests to a registry: which verb of the distribution-spec one is, and about what.
 *
 * @module
 */

/**
 * The verb of a request. `storage` is a blob asked of the other origin that a registry redirects
 * to; `other` is whatever the pull side of the specification does not know.
 */
export type RequestKind =
  | "ping"
  | "tags"
  | "manifest"
  | "blob"
  | "referrers"
  | "token"
  | "storage"
  | "other";

/** A request that reached the fake registry, as it arrived. */
export interface RegistryRequest {
  /** Which verb it is. */
  readonly kind: RequestKind;
  /** In upper case. */
  readonly method: string;
  /** Which repository it is about; of a token request, the one in its first scope. */
  readonly repository: string | undefined;
  /** The tag or digest asked for. */
  readonly reference: string | undefined;
  /** Path with its query, as sent. */
  readonly path: string;
  /** All headers of the request. */
  readonly headers: Headers;
  /** The Authorization header, or `undefined`. */
  readonly authorization: string | undefined;
}

/** Which requests are meant: those that agree in every member that is given. */
export interface RequestMatch {
  /** The verb. @default any */
  readonly kind?: RequestKind;
  /** In upper case. @default any */
  readonly method?: string;
  /** Its full name. @default any */
  readonly repository?: string;
  /** A tag or digest. @default any */
  readonly reference?: string;
}

/** Tells whether a request is one of those that are meant. */
export function matches(request: RegistryRequest, match: RequestMatch): boolean {
  return (["kind", "method", "repository", "reference"] as const)
    .every((member) => match[member] === undefined || match[member] === request[member]);
}

const SPEC_PATH =
  /^\/v2\/(?<repository>.+)\/(?:(?<verb>manifests|blobs|referrers)\/(?<reference>[^/]+)|(?<tags>tags\/list))$/;
const KINDS: Readonly<Record<string, RequestKind>> = {
  manifests: "manifest",
  blobs: "blob",
  referrers: "referrers",
};

/** Reads what a request to the registry's own origin asks for. */
export function readRequest(request: Request): RegistryRequest {
  const url = new URL(request.url);
  return { ...readPath(url), ...readEnvelope(request, url) };
}

/** Where the storage origin keeps blobs by digest. */
export const BLOBS_PATH = "/blobs/";

/** Reads a request to the storage origin. */
export function readStorageRequest(request: Request): RegistryRequest {
  const url = new URL(request.url);
  return {
    kind: "storage",
    repository: url.searchParams.get("repository") ?? undefined,
    reference: url.pathname.slice(BLOBS_PATH.length),
    ...readEnvelope(request, url),
  };
}

type Envelope = "method" | "path" | "headers" | "authorization";

function readEnvelope(request: Request, url: URL): Pick<RegistryRequest, Envelope> {
  return {
    method: request.method,
    path: url.pathname + url.search,
    headers: request.headers,
    authorization: request.headers.get("authorization") ?? undefined,
  };
}

function readPath(url: URL): Omit<RegistryRequest, Envelope> {
  const nothing = { repository: undefined, reference: undefined };
  if (url.pathname === "/token") {
    const [, repository] = url.searchParams.get("scope")?.split(":") ?? [];
    return { ...nothing, kind: "token", repository };
  }
  if (url.pathname === "/v2/" || url.pathname === "/v2") return { ...nothing, kind: "ping" };
  const { repository, verb, reference, tags } = SPEC_PATH.exec(url.pathname)?.groups ?? {};
  const kind = tags ? "tags" : KINDS[verb ?? ""] ?? "other";
  return { kind, repository, reference: reference && decodeURIComponent(reference) };
}
