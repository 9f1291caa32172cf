/**
 * Things that go wrong between a registry and its client, each as a step around the true answer.
 * A test may bring its own: a {@linkcode Fault} is one function.
 *
 * @module
 */

import { errorAnswer } from "./answers.ts";
import type { Bytes } from "../manifest.ts";
import type { Gate } from "./gate.ts";
import type { RegistryRequest } from "./request.ts";

/** A request that is being answered. */
export interface Exchange {
  /** What is asked for. */
  readonly request: RegistryRequest;
  /** Aborted when the registry closes: a fault that waits must end then. */
  readonly closing: AbortSignal;
  /** Makes the answer that would be given without this fault. */
  readonly answer: () => Promise<Response>;
}

/** Answers in place of the registry. */
export type Fault = (exchange: Exchange) => Response | Promise<Response>;

/** What {@linkcode status} sends with its status. */
export interface StatusOptions {
  /** Beside the Content-Type of JSON, or instead of it. @default none */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as it is. @default a well-formed `errors` list */
  readonly body?: string;
}

/** Answers with a status instead of content. */
export function status(code: number, options: StatusOptions = {}): Fault {
  return async () => {
    const answer = errorAnswer(code, { code: "UNKNOWN", message: "by order of the test" });
    const body = options.body ?? await answer.text();
    return new Response([204, 304].includes(code) ? null : body, {
      status: code,
      headers: { ...Object.fromEntries(answer.headers), ...options.headers },
    });
  };
}

/**
 * Answers 429 with Retry-After.
 *
 * @param retryAfter - Seconds, or a date for the header's other form; absent without the header
 * @see https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
 */
export function tooManyRequests(retryAfter?: number | Date): Fault {
  const value = retryAfter instanceof Date ? retryAfter.toUTCString() : retryAfter?.toString();
  return status(429, { headers: value === undefined ? {} : { "retry-after": value } });
}

/** Answers 200 with a body that stops in the middle of its JSON. */
export function garbage(): Fault {
  return () =>
    new Response(`{"tags": ["1.0.0", `, { headers: { "content-type": "application/json" } });
}

/** Never answers, until the registry closes. */
export function hang(): Fault {
  return async ({ closing }) => {
    await aborted(closing);
    return errorAnswer(503, { code: "UNAVAILABLE", message: "closing" });
  };
}

/** Breaks the connection in the middle of the body, whose full length was promised. */
export function cut(): Fault {
  return changed(async function* (body): AsyncGenerator<Bytes> {
    yield* parts(body.subarray(0, body.length >>> 1));
    throw new ConnectionCut();
  });
}

/** Turns over one bit in the middle of the body. */
export function corrupt(): Fault {
  return changed((body) => {
    const middle = body.length >>> 1;
    return body.map((byte, at) => at === middle ? byte ^ 1 : byte);
  });
}

/** Leaves the last byte away, with a Content-Length that agrees. */
export function short(): Fault {
  return changed((body) => body.subarray(0, -1));
}

/** Adds a byte, with a Content-Length that agrees. */
export function long(): Fault {
  return changed((body) => new Uint8Array([...body, 0]));
}

/** Sends half of the body, and the rest once the gate is open. */
export function slow(gate: Gate): Fault {
  return changed(async function* (body, closing): AsyncGenerator<Bytes> {
    const half = body.length >>> 1;
    yield* parts(body.subarray(0, half));
    await Promise.race([gate.pass(), aborted(closing)]);
    yield* parts(body.subarray(half));
  });
}

/** Sends 64 KiB again and again for as long as somebody reads, without a length. */
export function endless(): Fault {
  return async ({ answer }) => {
    const { body, status, headers } = await answer();
    await body?.cancel();
    headers.delete("content-length");
    const chunk = new Uint8Array(64 * 1024);
    const stream = new ReadableStream({ pull: (controller) => controller.enqueue(chunk) });
    return new Response(body && stream, { status, headers });
  };
}

/** Gives the true answer with some headers replaced; `null` takes one away. */
export function headers(changes: Readonly<Record<string, string | null>>): Fault {
  return async ({ answer }) => {
    const response = await answer();
    for (const [name, value] of Object.entries(changes)) {
      if (value === null) response.headers.delete(name);
      else response.headers.set(name, value);
    }
    return response;
  };
}

/** Gives the true answer once the gate is open. */
export function held(gate: Gate): Fault {
  return async ({ answer, closing }) => {
    await Promise.race([gate.pass(), aborted(closing)]);
    return await answer();
  };
}

/** Thrown into a body to break its connection; nothing to report. */
export class ConnectionCut extends Error {
  /** Tells it from others in a log. */
  override readonly name = "ConnectionCut";
}

/** Puts another body in the true answer; one that comes in pieces has the true one's length. */
function changed(
  change: (body: Bytes, closing: AbortSignal) => Bytes | AsyncGenerator<Bytes>,
): Fault {
  return async ({ answer, closing }) => {
    const response = await answer();
    if (response.body === null) return response;
    const { status, headers } = response;
    const before = await response.bytes();
    const after = change(before, closing);
    const isWhole = after instanceof Uint8Array;
    headers.set("content-length", `${isWhole ? after.length : before.length}`);
    return new Response(isWhole ? after : ReadableStream.from(after), { status, headers });
  };
}

/** An empty chunk would end a body for some servers. */
function parts(bytes: Bytes): readonly Bytes[] {
  return bytes.length > 0 ? [bytes] : [];
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}
