/**
 * Answers of the pull side of the distribution-spec, made from content and nothing else.
 *
 * @module
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
 */

import { type Bytes, MEDIA_TYPES } from "../manifest.ts";
import type { Content } from "./content.ts";
import type { RegistryRequest } from "./request.ts";

/** How a registry lists tags. */
export interface TagListing {
  /** Most tags on one page, also for clients that ask for no paging. @default unlimited */
  readonly pageSize?: number;
  /** Largest `n` that is not refused with PAGINATION_NUMBER_INVALID. @default unlimited */
  readonly maximum?: number;
  /** Whether the next page is linked by path or by full address. @default "relative" */
  readonly links?: "relative" | "absolute";
  /** Order of the tags: as the specification has it, or as they were pushed. @default "lexical" */
  readonly order?: "lexical" | "pushed";
}

/** An element of the `errors` list in an error's body. */
export interface RegistryError {
  /** One of the specification's codes, such as `MANIFEST_UNKNOWN`. */
  readonly code: string;
  /** For people. */
  readonly message: string;
}

/** Answers with an error in the specification's form. */
export function errorAnswer(
  status: number,
  error: RegistryError,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json({ errors: [{ ...error, detail: null }] }, { status, headers });
}

/** Answers a page of the tags of a repository. */
export function answerTags(
  content: Content,
  request: RegistryRequest,
  { listing, origin }: { readonly listing: TagListing; readonly origin: string },
): Response {
  const name = request.repository ?? "";
  const tags = content.tags(name);
  if (!tags) return nameUnknown(name);
  const url = new URL(request.path, origin);
  const asked = url.searchParams.get("n");
  const n = asked === null ? Infinity : Number(asked);
  if (asked?.match(/^\d+$/) === null || n > (listing.maximum ?? Infinity)) {
    return errorAnswer(400, {
      code: "PAGINATION_NUMBER_INVALID",
      message: `invalid number of results requested: "${asked}"`,
    });
  }
  const ordered = listing.order === "pushed" ? tags : tags.toSorted();
  const last = url.searchParams.get("last");
  const rest = last === null
    ? ordered
    : listing.order === "pushed"
    ? ordered.slice(ordered.indexOf(last) + 1)
    : ordered.filter((tag) => tag > last);
  const page = rest.slice(0, Math.min(n, listing.pageSize ?? Infinity));
  const response = Response.json({ name, tags: page });
  const end = page.at(-1);
  if (end !== undefined && page.length < rest.length) {
    const next = new URL(url.pathname, origin);
    next.searchParams.set("last", end);
    next.searchParams.set("n", `${page.length}`);
    const address = listing.links === "absolute" ? next.href : next.pathname + next.search;
    response.headers.set("link", `<${address}>; rel="next"`);
  }
  return response;
}

/** Answers a manifest by tag or digest, or 304 to a client that has it. */
export function answerManifest(content: Content, request: RegistryRequest): Response {
  const { repository = "", reference = "" } = request;
  if (!content.tags(repository)) return nameUnknown(repository);
  const manifest = content.manifest(repository, reference);
  if (!manifest) {
    return errorAnswer(404, {
      code: "MANIFEST_UNKNOWN",
      message: `manifest unknown: "${reference}"`,
    });
  }
  const headers = {
    "content-type": manifest.mediaType,
    "docker-content-digest": manifest.digest,
    etag: `"${manifest.digest}"`,
  };
  if (request.headers.get("if-none-match") === headers.etag) {
    return new Response(null, { status: 304, headers: { etag: headers.etag } });
  }
  return bytesAnswer(manifest.manifest, request, headers);
}

/** Answers a blob, or the part of it that a Range asks for. */
export function answerBlob(content: Content, request: RegistryRequest): Response {
  const { repository = "", reference = "" } = request;
  const blob = content.blob(repository, reference);
  if (!blob) {
    return errorAnswer(404, { code: "BLOB_UNKNOWN", message: `blob unknown: "${reference}"` });
  }
  const headers = {
    "accept-ranges": "bytes",
    "content-type": "application/octet-stream",
    "docker-content-digest": reference,
  };
  const range = readRange(request.headers.get("range"), blob.length);
  if (!range) return bytesAnswer(blob, request, headers);
  if (range.start > range.end) {
    const headers = { "content-range": `bytes */${blob.length}` };
    return errorAnswer(416, { code: "RANGE_INVALID", message: "invalid content range" }, headers);
  }
  return bytesAnswer(blob.subarray(range.start, range.end + 1), request, {
    ...headers,
    "content-range": `bytes ${range.start}-${range.end}/${blob.length}`,
  });
}

/** Answers which manifests name another as their `subject`, filtered where the client asks. */
export function answerReferrers(content: Content, request: RegistryRequest): Response {
  const { repository = "", reference = "" } = request;
  const wanted = new URLSearchParams(request.path.split("?")[1]).get("artifactType");
  const manifests = content.referrers(repository, reference)
    .filter(({ artifactType }) => wanted === null || artifactType === wanted);
  return Response.json({ schemaVersion: 2, mediaType: MEDIA_TYPES.oci.index, manifests }, {
    headers: {
      "content-type": MEDIA_TYPES.oci.index,
      ...(wanted !== null && { "oci-filters-applied": "artifactType" }),
    },
  });
}

function nameUnknown(name: string): Response {
  return errorAnswer(404, {
    code: "NAME_UNKNOWN",
    message: `repository name not known to registry: "${name}"`,
  });
}

function bytesAnswer(
  bytes: Bytes,
  request: RegistryRequest,
  headers: Readonly<Record<string, string>>,
): Response {
  return new Response(request.method === "HEAD" ? null : bytes, {
    status: "content-range" in headers ? 206 : 200,
    headers: { ...headers, "content-length": `${bytes.length}` },
  });
}

/** Reads a single range, both ends included; anything else is no range (RFC 9110, 14.2). */
function readRange(
  header: string | null,
  size: number,
): { readonly start: number; readonly end: number } | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (first) {
    return { start: Number(first), end: Math.min(last ? Number(last) : Infinity, size - 1) };
  }
  if (last) return { start: Math.max(0, size - Number(last)), end: size - 1 };
  return undefined;
}
