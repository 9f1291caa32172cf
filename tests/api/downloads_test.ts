import assert from "node:assert/strict";
import { Admission } from "../../src/api/admission.ts";
import { Downloads } from "../../src/api/downloads.ts";
import { ServiceError } from "../../src/errors.ts";
import type { ByteReader } from "../../src/firmware/firmware.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";

/** Gives bytes, and records how. */
class RecordingReader implements ByteReader {
  readonly asked: number[] = [];
  closed = 0;
  failure: Error | undefined;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #given = 0;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#given === this.#bytes.length;
  }

  read(maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    this.asked.push(maxBytes);
    if (this.failure !== undefined) return Promise.reject(this.failure);
    const part = this.#bytes.subarray(this.#given, this.#given + maxBytes);
    this.#given += part.length;
    return Promise.resolve(part.length === 0 ? undefined : part);
  }

  close(): void {
    this.closed++;
  }
}

const [SMALL, LARGE] = [64 * 1024, 256 * 1024];

Deno.test("Downloads.send() sends all bytes, in chunks that grow with a fast reader, and closes", async () => {
  const downloads = new Downloads({ idleMs: 60_000, now: () => 0 });
  const bytes = firmwareBytes(1_500_000, 1);
  const reader = new RecordingReader(bytes);
  const body = await downloads.send(reader);
  assert.equal(downloads.count, 1);
  assert.deepEqual(await new Response(body).bytes(), bytes);
  assert.deepEqual(reader.asked, [SMALL, 2 * SMALL, ...Array(5).fill(LARGE)]);
  assert.deepEqual([reader.closed, downloads.count], [1, 0]);
  assert.equal(downloads.sentBytes, bytes.length);
});

Deno.test("Downloads.send() gives a slow reader small chunks, also one that was fast before", async () => {
  let now = 0;
  const downloads = new Downloads({ idleMs: 60_000, now: () => now });
  const reader = new RecordingReader(firmwareBytes(1_500_000, 1));
  let chunks = 0;
  for await (const _ of await downloads.send(reader)) if (++chunks > 3) now += 1000;
  assert.deepEqual(reader.asked.slice(0, 5), [SMALL, 2 * SMALL, LARGE, LARGE, SMALL]);
  assert.ok(reader.asked.slice(4).every((length) => length === SMALL));
});

Deno.test("Downloads.send() gives small chunks to all where there are very many", async () => {
  const downloads = new Downloads({ idleMs: 60_000, now: () => 0 });
  const others = Array.from({ length: 600 }, () => new RecordingReader(firmwareBytes(100_000, 1)));
  const bodies = await Promise.all(others.map((reader) => downloads.send(reader)));
  const reader = new RecordingReader(firmwareBytes(1_500_000, 1));
  await new Response(await downloads.send(reader)).bytes();
  assert.ok(reader.asked.every((length) => length === SMALL));
  for (const body of bodies) await body.cancel();
});

Deno.test("Downloads.send() has nothing under way with what is a single chunk", async () => {
  const downloads = new Downloads({ idleMs: 60_000, admission: new Admission({ limit: 1 }) });
  for (const length of [0, 1, SMALL]) {
    const bytes = firmwareBytes(length, 1);
    const reader = new RecordingReader(bytes);
    const body = await downloads.send(reader);
    assert.deepEqual([reader.closed, downloads.count], [1, 0]);
    assert.deepEqual(await new Response(body).bytes(), bytes);
  }
  assert.equal(downloads.sentBytes, 1 + SMALL);
});

Deno.test("Downloads.send() reads no further than the first chunk ahead of whoever takes it", async () => {
  const downloads = new Downloads({ idleMs: 60_000 });
  const reader = new RecordingReader(firmwareBytes(1_000_000, 1));
  const taker = (await downloads.send(reader)).getReader();
  await taker.read();
  assert.equal(reader.asked.length, 1);
  await taker.cancel();
  assert.deepEqual([reader.closed, downloads.count], [1, 0]);
});

Deno.test("Downloads.sweep() cuts off who takes nothing for too long, and nobody else", async () => {
  let now = 0;
  const downloads = new Downloads({ idleMs: 1000, now: () => now });
  const [stopped, slow] = [firmwareBytes(200_000, 1), firmwareBytes(200_000, 2)]
    .map((bytes) => new RecordingReader(bytes));
  assert(stopped && slow);
  const stoppedTaker = (await downloads.send(stopped)).getReader();
  const slowTaker = (await downloads.send(slow)).getReader();
  await stoppedTaker.read();
  await slowTaker.read();
  now = 999;
  await slowTaker.read();
  downloads.sweep();
  assert.equal(downloads.count, 2);
  now = 1000;
  downloads.sweep();
  assert.deepEqual([downloads.count, stopped.closed, slow.closed], [1, 1, 0]);
  await assert.rejects(stoppedTaker.read());
  assert.equal((await slowTaker.read()).done, false);
  await slowTaker.cancel();
});

Deno.test("Downloads.send() fails where nothing can be read, and lets go of the reader", async () => {
  const downloads = new Downloads({ idleMs: 60_000, admission: new Admission({ limit: 1 }) });
  for (let time = 1; time <= 2; time++) {
    const reader = new RecordingReader(firmwareBytes(10, 1));
    reader.failure = new Error("The disk fails");
    await assert.rejects(downloads.send(reader), reader.failure);
    assert.deepEqual([reader.closed, downloads.count], [1, 0]);
  }
});

Deno.test("Downloads.send() cuts the body where reading on fails, and lets go of the reader", async () => {
  const downloads = new Downloads({ idleMs: 60_000 });
  const reader = new RecordingReader(firmwareBytes(100_000, 1));
  const body = await downloads.send(reader);
  reader.failure = new Error("The disk fails");
  await assert.rejects(new Response(body).bytes(), reader.failure);
  assert.deepEqual([reader.closed, downloads.count], [1, 0]);
});

Deno.test("Downloads.send() lets as many begin as are admitted, and the next once one has ended", async () => {
  const admission = new Admission({ limit: 2 });
  const downloads = new Downloads({ idleMs: 60_000, admission });
  const readerOf = (seed: number): RecordingReader =>
    new RecordingReader(firmwareBytes(100_000, seed));
  const [first, second, third] = [1, 2, 3].map(readerOf);
  assert(first && second && third);
  const taker = (await downloads.send(first)).getReader();
  const failing = await downloads.send(second);
  await assert.rejects(downloads.send(third), ServiceError);
  assert.deepEqual([downloads.count, third.closed, third.asked.length], [2, 1, 0]);
  // One ends by failing, one by being left: each frees its place once.
  second.failure = new Error("The disk fails");
  await assert.rejects(new Response(failing).bytes());
  await taker.cancel();
  await taker.cancel();
  const more = [await downloads.send(readerOf(4)), await downloads.send(readerOf(5))];
  await assert.rejects(downloads.send(third), ServiceError);
  for (const body of more) await new Response(body).bytes();
  assert.equal(downloads.count, 0);
});
