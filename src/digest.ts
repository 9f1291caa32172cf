/**
 * Digests: what names content for ever.
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#digests
 * @module
 */

import { createHash, type Hash } from "node:crypto";
import * as v from "valibot";

/** Hash algorithms of a digest (image-spec, descriptor.md), with the length of their hex form. */
const DIGEST_HEX_LENGTH = { sha256: 64, sha512: 128 } as const;

/** `sha256:` and 64 lower-case hex digits, or `sha512:` and 128. */
export type Digest = `sha256:${string}` | `sha512:${string}`;

/**
 * Tells whether a text is a digest of an algorithm that we can check.
 *
 * @param text Any text.
 * @returns Whether it is one.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.ok(isDigest("sha256:" + "0".repeat(64)));
 * assert.ok(!isDigest("sha256:" + "F".repeat(64)));
 * assert.ok(!isDigest("md5:" + "0".repeat(32)));
 * ```
 */
export function isDigest(text: string): text is Digest {
  const [, algorithm, hex] = /^(sha256|sha512):([0-9a-f]+)$/.exec(text) ?? [];
  return hex !== undefined &&
    hex.length === DIGEST_HEX_LENGTH[algorithm as keyof typeof DIGEST_HEX_LENGTH];
}

/** A digest in a document. */
export const digestSchema: v.GenericSchema<unknown, Digest> = v.custom<Digest>(
  (text) => typeof text === "string" && isDigest(text),
);

/** The running hash for a digest's algorithm. */
export class Digester {
  readonly #algorithm: string;
  readonly #hash: Hash;

  /**
   * Starts with no bytes.
   *
   * @param like A digest of the algorithm to use.
   */
  constructor(like: Digest) {
    this.#algorithm = like.slice(0, like.indexOf(":"));
    this.#hash = createHash(this.#algorithm);
  }

  /**
   * Takes more bytes.
   *
   * @param bytes What comes next.
   */
  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /**
   * Ends it; can be called once.
   *
   * @returns The digest of all that came.
   */
  finish(): Digest {
    return `${this.#algorithm}:${this.#hash.digest("hex")}` as Digest;
  }
}

/**
 * The digest of some bytes.
 *
 * @param bytes What to hash.
 * @param like A digest of the algorithm to use. @default SHA-256
 * @returns The digest.
 */
export function digestOf(bytes: Uint8Array, like: Digest = "sha256:"): Digest {
  const digester = new Digester(like);
  digester.update(bytes);
  return digester.finish();
}
