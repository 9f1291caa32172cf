/**
 * What a registry's webhook is. Each registry has a file in `webhooks/` that says how it proves who
 * it is, and reads what it sends; all else is the same for all of them, see `receiver.ts`.
 *
 * @module
 */

import * as v from "valibot";
import { FIRST_ISSUE } from "../schema.ts";

/** Something that came to a repository or went from it: its device is checked either way. */
export interface RegistryEvent {
  /** Full name of the repository, without the registry's host. */
  readonly repository: string;
  /** Tag or digest, where the registry says which; for the log. */
  readonly reference?: string | undefined;
}

/** A request as it arrived. */
export interface Delivery {
  /** Its headers. */
  readonly headers: Headers;
  /** Its body, byte for byte; never empty. */
  readonly body: Uint8Array<ArrayBuffer>;
}

/** What a delivery says. */
export interface Reading {
  /** What kind of message it is, in the registry's words; for the log. */
  readonly what: string;
  /** What happened; none where the message is of no use to us. */
  readonly events: readonly RegistryEvent[];
  /** Whether our own requests cause such messages, so that they are no news. @default false */
  readonly isRoutine?: boolean;
}

/** How a registry proves that it knows the secret. */
export type Proof =
  /** `Authorization` holds it: as it is, as `Bearer …`, or as the password of `Basic …`. */
  | { readonly by: "authorization" }
  /** The path ends with it, for registries that send no header of the operator's choice. */
  | { readonly by: "path" }
  /** One of these headers holds the HMAC-SHA256 of the body in hex, behind a prefix. */
  | { readonly by: "signature"; readonly headers: readonly string[]; readonly prefix: string };

/** One registry's webhook. */
export interface Webhook {
  /** How it proves who it is. */
  readonly proof: Proof;
  /**
   * What, beside the body, tells a repetition from a new event: the same text for the repetition.
   * Undefined where a new event may look exactly like an old one.
   */
  readonly identify: (delivery: Delivery) => string | undefined;
  /**
   * Whether it repeats what is refused for ever, and all else waits behind it: then it gets 200 for
   * whatever nobody can use. @default false
   */
  readonly isNeverRefused?: boolean;
  /** Reads a delivery. Throws a {@linkcode Refusal} where it is none of this registry's. */
  readonly read: (delivery: Delivery) => Reading;
}

/** What is wrong with a delivery: one sentence without full stop, for whoever set it up. */
export class Refusal extends Error {
  /** Always `Refusal`. */
  override readonly name = "Refusal";
}

/**
 * Reads a body as JSON of some shape.
 *
 * @param body The body.
 * @param schema The shape.
 * @param wanted What it should be, to follow "is no", for example `event of Harbor`.
 * @returns What it holds.
 * @throws {Refusal} It is not JSON, or has another shape.
 */
export function readJson<T>(
  body: Uint8Array,
  schema: v.GenericSchema<unknown, T>,
  wanted: string,
): T {
  const parsed = v.safeParse(schema, parseJson(body), FIRST_ISSUE);
  if (parsed.success) return parsed.output;
  throw new Refusal(`Body is no ${wanted}`);
}

/**
 * The repository in a reference as people write them.
 *
 * @param reference For example `ghcr.io/Owner/name:tag` or `host:5000/a/b@sha256:…`.
 * @returns What stands between the host and the tag or digest, in lower case.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(repositoryIn("ghcr.io/Owner/name:1.0.0"), "owner/name");
 * assert.equal(repositoryIn("https://localhost:5000/a/b/c@sha256:00"), "a/b/c");
 * ```
 */
export function repositoryIn(reference: string): string {
  const path = reference.toLowerCase().replace(/^(?:https?:\/\/)?[^/]*\/?/, "");
  // By position, in linear time: an expression for an end that may begin anywhere is quadratic, and
  // a megabyte of colons would take it minutes.
  const [name = ""] = path.split("@", 1);
  const tagAt = name.indexOf(":", name.lastIndexOf("/") + 1);
  return tagAt === -1 ? name : name.slice(0, tagAt);
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new Refusal("Body is not JSON");
  }
}
