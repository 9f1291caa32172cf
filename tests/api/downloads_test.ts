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

Deno.test("Downloads.send() sends all bytes, in larger chunks once it knows a fast reader, and closes", async () => {
  const downloads = new Downloads({ idleMs: 60_000, now: () => 0 });
  const bytes = firmwareBytes(1_500_000, 1);
  const reader = new RecordingReader(bytes);
  const body = downloads.send(reader);
  assert.equal(downloads.count, 1);
  assert.deepEqual(await new Response(body).bytes(), bytes);
  assert.deepEqual(reader.asked, [...Array(8).fill(SMALL), ...Array(4).fill(LARGE)]);
  assert.deepEqual([reader.closed, downloads.count], [1, 0]);
  assert.equal(downloads.sentBytes, bytes.length);
});

Deno.test("Downloads.send() gives a slow reader small chunks", async () => {
  let now = 0;
  const downloads = new Downloads({ idleMs: 60_000, now: () => now });
  const reader = new RecordingReader(firmwareBytes(1_500_000, 1));
  for await (const _ of downloads.send(reader)) now += 1000;
  assert.ok(reader.asked.every((length) => length === SMALL));
});

Deno.test("Downloads.send() reads nothing ahead of whoever takes it", async () => {
  const downloads = new Downloads({ idleMs: 60_000 });
  const reader = new RecordingReader(firmwareBytes(1_000_000, 1));
  const taker = downloads.send(reader).getReader();
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
  const stoppedTaker = downloads.send(stopped).getReader();
  const slowTaker = downloads.send(slow).getReader();
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

Deno.test("Downloads.send() passes on what fails, and lets go of the reader", async () => {
  const downloads = new Downloads({ idleMs: 60_000 });
  const reader = new RecordingReader(firmwareBytes(10, 1));
  reader.failure = new Error("The disk fails");
  await assert.rejects(new Response(downloads.send(reader)).bytes(), reader.failure);
  assert.deepEqual([reader.closed, downloads.count], [1, 0]);
});

Deno.test("Downloads.send() lets as many begin as are admitted, and the next once one has ended", async () => {
  const admission = new Admission({ limit: 2 });
  const downloads = new Downloads({ idleMs: 60_000, admission });
  const [first, second, third] = [1, 2, 3].map(() => new RecordingReader(firmwareBytes(10, 1)));
  assert(first && second && third);
  const taker = downloads.send(first).getReader();
  const failing = downloads.send(second);
  assert.throws(() => downloads.send(third), ServiceError);
  assert.deepEqual([downloads.count, third.closed, third.asked.length], [2, 1, 0]);
  // One ends by failing, one by being left: each frees its place once.
  second.failure = new Error("The disk fails");
  await assert.rejects(new Response(failing).bytes());
  await taker.cancel();
  await taker.cancel();
  const more = [1, 2].map(() => downloads.send(new RecordingReader(firmwareBytes(10, 1))));
  assert.throws(() => downloads.send(third), ServiceError);
  for (const body of more) await new Response(body).bytes();
  assert.equal(downloads.count, 0);
});
