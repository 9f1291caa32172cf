/**
 * What a registry's answers mean, and how much of them is read.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes
 * @module
 */

import * as v from "valibot";
import { bytesOf } from "../byte_stream.ts";
import { ServiceError } from "../errors.ts";
import { FIRST_ISSUE } from "../schema.ts";
import { retryAfterMs } from "./retry.ts";

/** So much of an error's body is read: the specification has a few words per error. */
const ERROR_BODY_LIMIT_BYTES = 64 * 1024;

const errorsSchema = v.object({
  errors: v.array(v.object({ code: v.string(), message: v.optional(v.unknown()) })),
});

/** How a body is read. */
export interface ReadOptions {
  /** What it is read for, as in `list tags of "a/b"`; for the error. */
  readonly action: string;
  /** The most bytes that are read. */
  readonly limit: number;
}

/**
 * Lets a good answer pass and turns every other one into an error.
 *
 * @param response The answer; its body is used up where it is not good.
 * @param action What was asked for, as in `list tags of "a/b"`.
 * @throws {ServiceError} `firmware-unknown` only where the registry itself says that there is no
 * such thing; `source-*` for all else.
 */
export async function ensureOk(response: Response, action: string): Promise<void> {
  const { status } = response;
  if (status === 200) return;
  const codes = await errorCodes(response);
  const message = `Cannot ${action}: registry answered ${status}`;
  const cause = codes && `registry says ${codes.join(", ")}`;
  if (status === 401 || status === 403) {
    throw new ServiceError("source-refused", message, { cause });
  }
  if (status === 404 && (codes !== undefined || isRegistry(response))) {
    throw new ServiceError("firmware-unknown", message, { cause });
  }
  if (status === 408 || status === 429 || status >= 500) {
    const pauseMs = retryAfterMs(response);
    const retryAfterSeconds = pauseMs === undefined ? undefined : Math.ceil(pauseMs / 1000);
    throw new ServiceError("source-unavailable", message, { cause, retryAfterSeconds });
  }
  throw new ServiceError("source-invalid", message, { cause: cause ?? "is it a registry at all?" });
}

/**
 * Reads a JSON document.
 *
 * @param response A good answer.
 * @param options Limit, purpose and the form that the document must have.
 * @returns The document.
 * @throws {ServiceError} `source-invalid` where it is too large, no JSON or of another form.
 */
export async function readJson<S extends v.GenericSchema>(
  response: Response,
  options: ReadOptions & { readonly schema: S },
): Promise<v.InferOutput<S>> {
  const bytes = await readBytes(response, options);
  const result = v.safeParse(options.schema, parseJson(bytes), FIRST_ISSUE);
  if (result.success) return result.output;
  throw new ServiceError(
    "source-invalid",
    `Cannot ${options.action}: registry's answer is not of the expected form`,
  );
}

/**
 * Reads a body whole, if it is small enough.
 *
 * @param response An answer.
 * @param options Limit and purpose.
 * @returns The bytes.
 * @throws {ServiceError} `source-invalid` where there are more bytes than the limit.
 */
export async function readBytes(response: Response, options: ReadOptions): Promise<Uint8Array> {
  const { action, limit } = options;
  const bytes = response.body === null ? new Uint8Array() : await bytesOf(response.body, { limit });
  if (bytes !== undefined) return bytes;
  throw new ServiceError(
    "source-invalid",
    `Cannot ${action}: registry's answer is longer than ${limit} bytes`,
  );
}

/** The error codes that the body holds; undefined where it is none of a registry's. */
async function errorCodes(response: Response): Promise<string[] | undefined> {
  try {
    const bytes = await readBytes(response, {
      action: "read an error",
      limit: ERROR_BODY_LIMIT_BYTES,
    });
    const result = v.safeParse(errorsSchema, parseJson(bytes), FIRST_ISSUE);
    return result.success ? result.output.errors.map(({ code }) => code.slice(0, 64)) : undefined;
  } catch {
    // The status says enough; a body that breaks off changes nothing about it.
    return undefined;
  }
}

/** Registries of the Docker line say so in each answer, also where there is no body. */
function isRegistry({ headers }: Response): boolean {
  return headers.get("docker-distribution-api-version")?.startsWith("registry/") ?? false;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
