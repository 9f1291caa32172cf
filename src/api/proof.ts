/**
 * Whether a webhook's sender knows the secret. What is compared is compared as hashes, in a time
 * that tells nothing about how much of it was right.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { Proof } from "./webhook.ts";

/** What a request offers to prove it. */
export interface Evidence {
  /** Its headers. */
  readonly headers: Headers;
  /** What its path ends with, where that is a secret. */
  readonly pathSecret: string | undefined;
}

/**
 * Checks what can be checked before the body is read.
 *
 * @param proof How this registry proves it.
 * @param secret The secret.
 * @param evidence What the request offers.
 * @returns Whether it knows the secret; true for signatures, which only the body can tell.
 */
export function mayBeRead(proof: Proof, secret: string, evidence: Evidence): boolean {
  switch (proof.by) {
    case "signature":
      return true;
    case "path":
      return isOneOf([evidence.pathSecret], secret);
    case "authorization":
      return isOneOf(credentialsIn(evidence.headers.get("authorization")), secret);
  }
}

/**
 * Checks the signature of a body, where there has to be one.
 *
 * @param proof How this registry proves who it is.
 * @param secret The secret.
 * @param delivery Headers and body.
 * @returns Whether it is right; true for registries that prove it in another way.
 */
export function isSigned(
  proof: Proof,
  secret: string,
  { headers, body }: { readonly headers: Headers; readonly body: Uint8Array },
): boolean {
  if (proof.by !== "signature") return true;
  const signature = `${proof.prefix}${createHmac("sha256", secret).update(body).digest("hex")}`;
  return isOneOf(proof.headers.map((name) => headers.get(name)), signature);
}

/** Registries differ in what they make of a secret that is entered into their one field. */
function credentialsIn(header: string | null): readonly (string | undefined)[] {
  if (header === null) return [];
  const [, scheme = "", rest = ""] = /^(\S+) +([^]*)$/.exec(header) ?? [];
  const isBasic = scheme.toLowerCase() === "basic";
  return [
    header,
    scheme.toLowerCase() === "bearer" ? rest : undefined,
    // RFC 7617, 2: what follows the first colon is the password.
    isBasic ? Buffer.from(rest, "base64").toString().replace(/^[^:]*:/, "") : undefined,
  ];
}

function isOneOf(given: readonly (string | null | undefined)[], wanted: string): boolean {
  const expected = sha256(wanted);
  // All of them, whichever is right. What is not there is no secret: a secret is never empty.
  return given.map((text) => timingSafeEqual(sha256(text ?? ""), expected)).includes(true);
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
