/**
 * What is known of a firmware as an HTTP resource, in two forms: three lines for devices of a few
 * lines of code, and an object for all others.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Context } from "hono";
import { accepts } from "hono/accepts";
import type { Firmware } from "../firmware/firmware.ts";
import type { Query } from "../selection.ts";
import { answer, failure, respond } from "./answers.ts";
import { evaluateConditions } from "./conditional.ts";
import { strongTag } from "./entity_tag.ts";
import { firmwareUrl } from "./links.ts";
import type { HeaderFields } from "./head.ts";
import { CACHE_CONTROL, validatorsOf } from "./representation.ts";

/** What is answered. */
export interface VersionResource {
  /** Whose firmware, and what was asked for. */
  readonly query: Query;
  /** The firmware that this client is told of. */
  readonly firmware: Firmware;
  /** Headers beside those of the resource itself. */
  readonly headers: HeaderFields;
}

/** A form of the resource. */
export type VersionForm = "text" | "json";

/**
 * Which form a request is for. Text, unless JSON is asked for by name: who accepts anything gets
 * what devices have always got.
 *
 * @param c The request.
 * @returns The form.
 */
export function negotiateForm(c: Context): VersionForm {
  const supports = ["text/plain", "application/json"];
  const type = accepts(c, { header: "Accept", supports, default: "text/plain" });
  return type === "application/json" ? "json" : "text";
}

/**
 * Answers a GET or HEAD.
 *
 * @param c The request.
 * @param form Which form.
 * @param resource What it is for.
 * @returns 200, 304 or 412.
 */
export function answerVersion(c: Context, form: VersionForm, resource: VersionResource): Response {
  const { firmware } = resource;
  const { body, type, etag } = form === "text" ? lines(firmware) : object(resource);
  const shared = { ...resource.headers, "etag": etag, "cache-control": CACHE_CONTROL };
  const { lastModified } = validatorsOf(firmware);
  switch (evaluateConditions(c.req.raw.headers, { etag, lastModified })) {
    case "not-modified":
      return respond(c, { status: 304, headers: shared });
    case "precondition-failed":
      return failure(c, { status: 412, body: `Version is ${firmware.version} now` });
    case "proceed":
      return answer(c, { status: 200, body, ...(type && { type }), headers: shared });
  }
}

interface Body {
  readonly body: string;
  /** Undefined for plain text. */
  readonly type?: string;
  readonly etag: string;
}

/** No line break at the end: the Rust OtaFlux sends none, and devices parse what it sends. */
function lines({ version, crc32, size }: Firmware): Body {
  const body = `${version}\n${crc32}\n${size}`;
  // The whole body fits a tag, which costs less than to hash it.
  return { body, etag: strongTag(body.replaceAll("\n", "/")) };
}

function object({ query, firmware }: VersionResource): Body {
  const { version, tag, crc32, size, sha256, md5, digest, modifiedAt, annotations, files } =
    firmware;
  const body = JSON.stringify({
    ...{ device: query.device, version, tag, size, crc32 },
    crc32Hex: crc32.toString(16).padStart(8, "0"),
    ...{ sha256, md5, digest },
    url: firmwareUrl(query, firmware),
    created: modifiedAt.toISOString(),
    annotations,
    files,
  });
  const hash = createHash("sha256").update(body).digest("base64url");
  return { body, type: "application/json", etag: strongTag(hash) };
}
