/**
 * A blob's bytes, checked while they pass.
 *
 * @module
 */

import { BUFFER_BYTES, chunksOf, joined } from "../byte_stream.ts";
import { Digester } from "../digest.ts";
import { isServiceError, ServiceError } from "../errors.ts";
import type { Descriptor } from "../oci.ts";

/**
 * Hands a blob's bytes on and checks them against the descriptor. Bytes that were handed on are
 * verified only once {@linkcode VerifyingReader.verified} says so: until then they go nowhere.
 */
export class VerifyingReader implements AsyncIterable<Uint8Array> {
  readonly #stream: ReadableStream<Uint8Array>;
  readonly #descriptor: Descriptor;
  #verified = false;

  /**
   * Reads nothing yet.
   *
   * @param stream The bytes as they come.
   * @param descriptor What they must be.
   */
  constructor(stream: ReadableStream<Uint8Array>, descriptor: Descriptor) {
    this.#stream = stream;
    this.#descriptor = descriptor;
  }

  /** Whether all bytes came, as many as promised and with the digest promised. */
  get verified(): boolean {
    return this.#verified;
  }

  /**
   * Reads the blob.
   *
   * @returns The bytes, once. Each chunk is valid only until the next one is asked for.
   * @throws {ServiceError} `artifact-invalid` at the first byte too many, or at the end.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const { digest, size } = this.#descriptor;
    const digester = new Digester(digest);
    let received = 0;
    for await (const chunk of withCode(this.#stream, size)) {
      received += chunk.length;
      if (received > size) {
        throw new ServiceError("artifact-invalid", `Blob ${digest} is longer than ${size} bytes`);
      }
      digester.update(chunk);
      yield chunk;
    }
    if (received < size) {
      throw new ServiceError(
        "artifact-invalid",
        `Blob ${digest} ended after ${received} of ${size} bytes`,
      );
    }
    const actual = digester.finish();
    if (actual !== digest) {
      throw new ServiceError("artifact-invalid", `Blob ${digest} has the digest ${actual}`);
    }
    this.#verified = true;
  }
}

async function* withCode(
  stream: ReadableStream<Uint8Array>,
  size: number,
): AsyncGenerator<Uint8Array> {
  try {
    yield* chunksOf(stream, { bufferBytes: Math.min(size + 1, BUFFER_BYTES) });
  } catch (cause) {
    if (isServiceError(cause)) throw cause;
    throw new ServiceError("source-unavailable", "Blob broke off", { cause });
  }
}

/**
 * Looks at the first bytes without taking them away.
 *
 * @param chunks Bytes.
 * @param length How many bytes to look at.
 * @returns At least that many bytes (fewer where there are no more), and all bytes again.
 */
export async function peek(
  chunks: AsyncIterable<Uint8Array>,
  length: number,
): Promise<{ head: Uint8Array; all: AsyncIterable<Uint8Array> }> {
  const iterator = chunks[Symbol.asyncIterator]();
  const taken: Uint8Array[] = [];
  let takenLength = 0;
  while (takenLength < length) {
    const next = await iterator.next();
    if (next.done) break;
    taken.push(next.value.slice());
    takenLength += next.value.length;
  }
  const head = joined(taken);
  return { head, all: chain(head, iterator) };
}

async function* chain(
  head: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield head;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  } finally {
    // A reader that stops early lets go of the source, too.
    await rest.return?.();
  }
}
