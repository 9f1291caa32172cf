/**
 * Readers of what strangers wrote, that accept one spelling only.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import * as v from "valibot";
import { FIRST_ISSUE } from "../schema.ts";
import { Unacceptable } from "./unacceptable.ts";

/**
 * Reads base64 (RFC 4648, 4) with padding and nothing else: what differs in the text differs in the
 * bytes.
 *
 * @param text The text.
 * @returns The bytes.
 * @throws {Unacceptable} It is not.
 */
export function decodeBase64(text: string): Buffer<ArrayBuffer> {
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") === text) return bytes;
  throw new Unacceptable("what is not base64");
}

/**
 * Reads JSON of a form.
 *
 * @param bytes UTF-8.
 * @param schema The form.
 * @returns The document.
 * @throws {Unacceptable} It is none, or of another form.
 */
export function decodeJson<S extends v.GenericSchema>(
  bytes: Uint8Array,
  schema: S,
): v.InferOutput<S> {
  const result = v.safeParse(schema, parse(bytes), FIRST_ISSUE);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new Unacceptable(`a signature without a valid ${v.getDotPath(issue) ?? "form"}`);
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new Unacceptable("what is not JSON");
  }
}
