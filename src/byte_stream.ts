/**
 * Reads streams of bytes into buffers that are used again. The platform's default reader makes a
 * buffer of 64 KiB for every chunk, a short answer's included: over thousands of them that is what
 * a process grows by.
 *
 * @see https://streams.spec.whatwg.org/#byob-readers
 * @module
 */

/** What a read gave: a part of the buffer that was lent, or bytes of the stream's own. */
export type ReadOutcome = ReadableStreamReadResult<Uint8Array<ArrayBuffer>>;

/** Reads a stream, into the caller's buffers where the stream is able to. */
class LendingReader {
  readonly #reader: ReadableStreamBYOBReader | ReadableStreamDefaultReader<Uint8Array>;

  /**
   * Locks a stream.
   *
   * @param stream Bytes, from a source of any kind.
   */
  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = byobReader(stream) ?? stream.getReader();
  }

  /** Whether buffers that are lent are filled. */
  get fillsBuffers(): boolean {
    return this.#reader instanceof ReadableStreamBYOBReader;
  }

  /**
   * Reads on.
   *
   * @param view Lent: it is not to be used any more. What comes back may be filled next.
   * @returns The next bytes, or the end; where buffers are filled, in the memory of `view`.
   */
  async read(view: Uint8Array<ArrayBuffer>): Promise<ReadOutcome> {
    const outcome = await this.#reader.read(view);
    return outcome as ReadOutcome;
  }

  /**
   * Lets go of the stream before its end.
   *
   * @param reason Why.
   */
  async cancel(reason?: unknown): Promise<void> {
    await this.#reader.cancel(reason);
  }
}

/**
 * Passes a stream on, read by read, into the buffers of whoever reads it.
 *
 * @param stream Bytes.
 * @param step Sees each read: gives its outcome, or throws what the new stream fails with.
 * @returns The same bytes. Where it fails, the old stream is cancelled.
 */
export function passOn(
  stream: ReadableStream<Uint8Array>,
  step: (read: Promise<ReadOutcome>) => Promise<ReadOutcome>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = new LendingReader(stream);
  return new ReadableStream({
    type: "bytes",
    async pull(controller): Promise<void> {
      const request = controller.byobRequest;
      try {
        const view = request?.view ?? new Uint8Array(BUFFER_BYTES);
        const { done, value } = await step(reader.read(view as Uint8Array<ArrayBuffer>));
        if (done) controller.close();
        if (request !== null && reader.fillsBuffers) {
          request.respondWithNewView(value ?? new Uint8Array(0));
        } else if (!done) controller.enqueue(value);
        else request?.respond(0);
      } catch (error) {
        controller.error(error);
        // It may never answer, which is why it is given up.
        reader.cancel(error).catch(() => {});
      }
    },
    async cancel(reason): Promise<void> {
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}

/** Options of {@linkcode chunksOf}. */
export interface ChunkOptions {
  /** How many bytes are read at once, at most. */
  readonly bufferBytes: number;
  /** Ends the reading with its reason, whatever the stream does. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads a stream to its end.
 *
 * @param stream Bytes.
 * @param options How.
 * @returns The bytes. Each chunk is valid only until the next one is asked for.
 * @throws {unknown} What the stream fails with, or the signal's reason.
 */
export async function* chunksOf(
  stream: ReadableStream<Uint8Array>,
  { bufferBytes, signal }: ChunkOptions,
): AsyncGenerator<Uint8Array> {
  const reader = new LendingReader(stream);
  let isAtEnd = false;
  const stop = (): void => void reader.cancel().catch(() => {});
  signal?.addEventListener("abort", stop);
  try {
    let buffer = new ArrayBuffer(bufferBytes);
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(buffer));
      if (done) break;
      yield value;
      // What was lent is gone otherwise.
      buffer = reader.fillsBuffers ? value.buffer : new ArrayBuffer(0);
    }
    // A stream that is cancelled looks as if it had ended.
    signal?.throwIfAborted();
    isAtEnd = true;
  } finally {
    signal?.removeEventListener("abort", stop);
    // Whoever stops early lets go of the source, too; one that has failed is gone already.
    if (!isAtEnd) await reader.cancel().catch(() => {});
  }
}

/** Options of {@linkcode bytesOf}. */
export interface BytesOptions {
  /** The most bytes to take. */
  readonly limit: number;
  /** About how many will come, where that is known. */
  readonly expected?: number | undefined;
  /** Ends the reading with its reason. */
  readonly signal?: AbortSignal;
}

/**
 * Reads a stream whole, if it is short enough.
 *
 * @param stream Bytes.
 * @param options Limits.
 * @returns All of them; undefined where there are more.
 * @throws {unknown} What the stream fails with, or the signal's reason.
 */
export async function bytesOf(
  stream: ReadableStream<Uint8Array>,
  { limit, expected, signal }: BytesOptions,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  // One more than is expected, so that the end is found without another buffer.
  const bufferBytes = Math.min(expected ?? DOCUMENT_BUFFER_BYTES, limit, BUFFER_BYTES) + 1;
  // Of one piece: a stranger may send a byte at a time, and an array for each is hundreds of them.
  let bytes = new Uint8Array(bufferBytes);
  let length = 0;
  for await (const chunk of chunksOf(stream, { bufferBytes, signal })) {
    const end = length + chunk.length;
    if (end > limit) return undefined;
    if (end > bytes.length) bytes = grown(bytes, Math.max(end, 2 * bytes.length));
    bytes.set(chunk, length);
    length = end;
  }
  return bytes.slice(0, length);
}

/**
 * Joins chunks into one. Not by `Buffer.concat`: what `slice()` gives of a `Buffer` is no copy.
 *
 * @param chunks Bytes.
 * @returns A copy of all of them, one after the other.
 */
export function joined(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

function grown(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(length);
  larger.set(bytes);
  return larger;
}

/** What is read at once of long streams, in bytes. */
export const BUFFER_BYTES = 64 * 1024;

/** What is read at once of documents, in bytes: most manifests are shorter. */
const DOCUMENT_BUFFER_BYTES = 4 * 1024;

function byobReader(stream: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | undefined {
  try {
    return stream.getReader({ mode: "byob" });
  } catch (error) {
    // Not every source fills buffers; one that is locked says so when it is asked in the other way.
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
