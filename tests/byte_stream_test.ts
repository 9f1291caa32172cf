import assert from "node:assert/strict";
import { bytesOf, chunksOf, joined, passOn } from "../src/byte_stream.ts";
import { WatchedStream } from "./helpers/fake_source.ts";
import { firmwareBytes } from "./helpers/firmware_bytes.ts";

const BYTES = firmwareBytes(10_000);

/** Sources that do not fill the reader's buffers, and that do. */
const SOURCES: Readonly<Record<string, () => ReadableStream<Uint8Array>>> = {
  "chunks of its own": () => new WatchedStream(BYTES, { chunkSizes: [1, 999] }).stream,
  "the reader's buffers": () => {
    let at = 0;
    return new ReadableStream({
      type: "bytes",
      pull: (controller) => {
        const view = controller.byobRequest?.view as Uint8Array;
        const chunk = BYTES.subarray(at, at + Math.min(view.length, 999));
        view.set(chunk);
        at += chunk.length;
        if (chunk.length === 0) controller.close();
        controller.byobRequest?.respond(chunk.length);
      },
    }, { highWaterMark: 0 });
  },
};

for (const [what, source] of Object.entries(SOURCES)) {
  Deno.test(`chunksOf() gives all that comes in ${what}`, async () => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of chunksOf(source(), { bufferBytes: 500 })) chunks.push(chunk.slice());
    assert.deepEqual(joined(chunks), BYTES);
  });

  Deno.test(`bytesOf() gives as much as it may of ${what}, and nothing of more`, async () => {
    for (const expected of [undefined, BYTES.length, 1, 1_000_000]) {
      assert.deepEqual(await bytesOf(source(), { limit: BYTES.length, expected }), BYTES);
      assert.equal(await bytesOf(source(), { limit: BYTES.length - 1, expected }), undefined);
    }
  });

  Deno.test(`passOn() shows each read of ${what}, and passes all on`, async () => {
    let seen = 0;
    const stream = passOn(source(), async (read) => {
      const outcome = await read;
      seen += outcome.value?.length ?? 0;
      return outcome;
    });
    assert.deepEqual(await bytesOf(stream, { limit: BYTES.length }), BYTES);
    assert.equal(seen, BYTES.length);
    const readWithoutBuffers = await new Response(passOn(source(), (read) => read)).bytes();
    assert.deepEqual(readWithoutBuffers, BYTES);
  });
}

Deno.test("chunksOf() reads a stream of bytes into one buffer", async () => {
  const source = SOURCES["the reader's buffers"];
  const views: Uint8Array[] = [];
  for await (const chunk of chunksOf(source?.() ?? assert.fail(), { bufferBytes: 500 })) {
    assert.ok(views.every(({ buffer }) => buffer.byteLength === 0), "one before is still there");
    assert.equal(chunk.buffer.byteLength, 500);
    views.push(chunk);
  }
  assert.equal(views.length, BYTES.length / 500);
});

Deno.test("chunksOf() lets go of the stream when its reader stops early", async () => {
  const watched = new WatchedStream(BYTES, { chunkSizes: [100] });
  for await (const _ of chunksOf(watched.stream, { bufferBytes: 100 })) break;
  await watched.cancelled;
  assert.equal(watched.delivered, 100);
});

Deno.test("chunksOf() ends with the signal's reason, whatever the stream does", async () => {
  const stop = new AbortController();
  const stream = new ReadableStream<Uint8Array>({ pull: () => stop.abort(new Error("Enough")) });
  const reading = Array.fromAsync(chunksOf(stream, { bufferBytes: 1, signal: stop.signal }));
  await assert.rejects(reading, { message: "Enough" });
});

Deno.test("passOn() fails as its step does, and lets go of the stream", async () => {
  const watched = new WatchedStream(BYTES, { chunkSizes: [100] });
  const stream = passOn(watched.stream, () => Promise.reject(new Error("Too slow")));
  await assert.rejects(stream.getReader().read(), { message: "Too slow" });
  await watched.cancelled;
});

Deno.test("passOn() lets go of the stream when it is let go of itself", async () => {
  const watched = new WatchedStream(BYTES);
  await passOn(watched.stream, (read) => read).cancel();
  await watched.cancelled;
});

Deno.test("joined() gives bytes whose slices are copies", () => {
  const bytes = joined([new Uint8Array([1, 2]), new Uint8Array(), new Uint8Array([3])]);
  bytes.slice()[0] = 9;
  assert.deepEqual(bytes, new Uint8Array([1, 2, 3]));
});
