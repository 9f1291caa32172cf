import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { createFetch, type Fetch, type FetchInit } from "../../src/registry/fetch.ts";
import { withTimeout } from "../../src/registry/timeout.ts";
import { orasArtifact } from "../helpers/artifacts.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { digestOf } from "../helpers/manifest.ts";
import { hang, slow } from "../helpers/registry/faults.ts";
import { Gate } from "../helpers/registry/gate.ts";

const ADDRESS = "https://registry.example/v2/";
const INIT: FetchInit = { method: "GET", headers: {} };
const IDLE_MS = 1000;
const TIMEOUT = { code: "source-timeout", message: "Registry made no progress for 1 s" };

/** Puts timers in the test's hands: none fires unless time is told to pass. */
class Timers implements Disposable {
  readonly #originals = { setTimeout, clearTimeout };
  readonly #waiting = new Map<number, { readonly at: number; readonly fire: () => void }>();
  #nowMs = 0;
  #last = 0;

  constructor() {
    const timers = {
      setTimeout: (fire: () => void, ms: number): number => {
        this.#waiting.set(++this.#last, { at: this.#nowMs + ms, fire });
        return this.#last;
      },
      clearTimeout: (id: number): void => void this.#waiting.delete(id),
    };
    Object.assign(globalThis, timers);
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Lets what is under way come to rest, and time pass. */
  async pass(ms: number): Promise<void> {
    await setImmediate();
    this.#nowMs += ms;
    for (const [id, { at, fire }] of this.#waiting) {
      if (at > this.#nowMs) continue;
      this.#waiting.delete(id);
      fire();
    }
    await setImmediate();
  }

  [Symbol.dispose](): void {
    Object.assign(globalThis, this.#originals);
  }
}

/** A registry in memory whose answer comes when the test says so. */
class Answer {
  readonly #head = Promise.withResolvers<Response>();
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  cancelled = false;
  readonly fetch: Fetch;

  constructor() {
    const lower: Fetch = (_url, { signal }) => {
      signal?.addEventListener("abort", () => {
        this.#head.reject(signal.reason);
        this.#controller?.error(signal.reason);
      });
      return this.#head.promise;
    };
    this.fetch = withTimeout(lower, { idleMs: IDLE_MS });
  }

  head(status = 200): void {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => void (this.#controller = controller),
      cancel: () => void (this.cancelled = true),
    });
    this.#head.resolve(new Response(body, { status, headers: { "x-kept": "yes" } }));
  }

  chunk(byte: number): void {
    this.#controller?.enqueue(new Uint8Array([byte]));
  }

  end(): void {
    this.#controller?.close();
  }

  fail(error: Error): void {
    this.#controller?.error(error);
  }
}

Deno.test("withTimeout() ends a request whose head does not come", async () => {
  using timers = new Timers();
  const rejected = assert.rejects(new Answer().fetch(ADDRESS, INIT), TIMEOUT);
  await timers.pass(IDLE_MS);
  await rejected;
  assert.equal(timers.waiting, 0);
});

Deno.test("withTimeout() lets a head come just in time, and changes nothing about it", async () => {
  using timers = new Timers();
  const answer = new Answer();
  const pending = answer.fetch(ADDRESS, INIT);
  await timers.pass(IDLE_MS - 1);
  answer.head(206);
  const response = await pending;
  assert.equal(response.status, 206);
  assert.equal(response.headers.get("x-kept"), "yes");
  await response.body?.cancel();
  assert.ok(answer.cancelled);
  assert.equal(timers.waiting, 0);
});

Deno.test("withTimeout() ends a body that stalls midway", async () => {
  using timers = new Timers();
  const answer = new Answer();
  answer.head();
  const { body } = await answer.fetch(ADDRESS, INIT);
  const reader = body?.getReader();
  answer.chunk(1);
  assert.deepEqual((await reader?.read())?.value, new Uint8Array([1]));
  const rejected = assert.rejects(reader?.read() ?? Promise.resolve(), TIMEOUT);
  await timers.pass(IDLE_MS - 1);
  assert.equal(timers.waiting, 1);
  await timers.pass(1);
  await rejected;
  assert.equal(timers.waiting, 0);
});

Deno.test("withTimeout() lets a body take any time as long as it makes progress", async () => {
  using timers = new Timers();
  const answer = new Answer();
  answer.head();
  const response = await answer.fetch(ADDRESS, INIT);
  const bytes = response.bytes();
  for (let byte = 0; byte < 20; byte++) {
    await timers.pass(IDLE_MS - 1);
    answer.chunk(byte);
  }
  await timers.pass(IDLE_MS - 1);
  answer.end();
  assert.deepEqual(await bytes, Uint8Array.from({ length: 20 }, (_, byte) => byte));
  assert.equal(timers.waiting, 0);
});

Deno.test("withTimeout() does not blame the registry for a slow reader", async () => {
  using timers = new Timers();
  const answer = new Answer();
  answer.head();
  const { body } = await answer.fetch(ADDRESS, INIT);
  const reader = body?.getReader();
  answer.chunk(1);
  answer.chunk(2);
  for (const byte of [1, 2]) {
    await timers.pass(100 * IDLE_MS);
    assert.deepEqual((await reader?.read())?.value, new Uint8Array([byte]));
  }
  await reader?.cancel();
});

Deno.test("withTimeout() gives a body that breaks off the code of a network failure", async () => {
  using timers = new Timers();
  const answer = new Answer();
  answer.head();
  const response = await answer.fetch(ADDRESS, INIT);
  answer.fail(new TypeError("connection reset"));
  await assert.rejects(response.bytes(), { code: "source-unavailable" });
  assert.equal(timers.waiting, 0);
});

Deno.test("withTimeout() lets errors and answers without a body pass", async () => {
  using timers = new Timers();
  const error = new Error("unreachable");
  const failing = withTimeout(() => Promise.reject(error), { idleMs: IDLE_MS });
  await assert.rejects(failing(ADDRESS, INIT), (thrown) => thrown === error);
  const response = new Response(null, { status: 204 });
  const empty = withTimeout(() => Promise.resolve(response), { idleMs: IDLE_MS });
  assert.equal(await empty(ADDRESS, INIT), response);
  assert.equal(timers.waiting, 0);
});

const FIRMWARE = firmwareBytes(100_000);

Deno.test("withTimeout() ends real connections", async (t) => {
  await using registry = new FakeRegistry();
  registry.push("dev/led", "1.0.0", orasArtifact(FIRMWARE));
  const blob = `${registry.origin}/v2/dev/led/blobs/${digestOf(FIRMWARE)}`;

  await t.step("that give no head", async () => {
    using _ = registry.fault({ match: {}, respond: hang() });
    const fetch = withTimeout(createFetch({ userAgent: "test" }), { idleMs: 50 });
    await assert.rejects(fetch(blob, INIT), { code: "source-timeout" });
  });

  await t.step("that stall in the body", async () => {
    const gate = new Gate();
    using _ = registry.fault({ match: {}, respond: slow(gate) });
    // Long enough for half a body to come on a busy machine.
    const fetch = withTimeout(createFetch({ userAgent: "test" }), { idleMs: 500 });
    const response = await fetch(blob, INIT);
    let received = 0;
    await assert.rejects(async () => {
      for await (const chunk of response.body ?? []) received += chunk.length;
    }, { code: "source-timeout" });
    assert.equal(received, FIRMWARE.length / 2);
    gate.open();
  });
});
