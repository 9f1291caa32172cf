import assert from "node:assert/strict";
import fc from "fast-check";
import type { Digest } from "../../src/digest.ts";
import { isServiceError, ServiceError } from "../../src/errors.ts";
import { peek, VerifyingReader } from "../../src/firmware/blob.ts";
import type { Descriptor } from "../../src/oci.ts";
import { WatchedStream } from "../helpers/fake_source.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { digestOf } from "../helpers/manifest.ts";

const bytes = firmwareBytes(10_000);

function descriptorOf(bytes: Uint8Array, algorithm: "sha256" | "sha512" = "sha256"): Descriptor {
  const digest = digestOf(bytes, algorithm) as Digest;
  return { mediaType: "", digest, size: bytes.length };
}

async function drain(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(ReadableStream.from(chunks)).arrayBuffer());
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const result = bytes.slice();
  result[at] = (result[at] ?? 0) ^ 1;
  return result;
}

for (const algorithm of ["sha256", "sha512"] as const) {
  Deno.test(`VerifyingReader hands on what has the ${algorithm} that was promised`, async () => {
    const { stream } = new WatchedStream(bytes, { chunkSizes: [1, 999] });
    const reader = new VerifyingReader(stream, descriptorOf(bytes, algorithm));
    assert.equal(reader.verified, false);
    assert.deepEqual(await drain(reader), new Uint8Array(bytes));
    assert.equal(reader.verified, true);
  });
}

for (
  const [what, delivered, message] of [
    ["one byte short", bytes.subarray(1), /ended after 9999 of 10000 bytes/],
    ["empty", new Uint8Array(), /ended after 0 of 10000 bytes/],
    ["one byte long", firmwareBytes(10_001), /longer than 10000 bytes/],
    ["flipped in its first bit", flipped(bytes, 0), /has the digest/],
    ["flipped in its last bit", flipped(bytes, 9_999), /has the digest/],
  ] as const
) {
  for (const chunkSize of [1, 1000, 100_000]) {
    Deno.test(`VerifyingReader refuses a blob that is ${what}, ${chunkSize} bytes at a time`, async () => {
      const { stream } = new WatchedStream(delivered, { chunkSizes: [chunkSize] });
      const reader = new VerifyingReader(stream, descriptorOf(bytes));
      await assert.rejects(
        drain(reader),
        (error) => isServiceError(error, "artifact-invalid") && message.test(error.message),
      );
      assert.equal(reader.verified, false);
    });
  }
}

Deno.test("VerifyingReader refuses a SHA-512 that does not fit", async () => {
  const { stream } = new WatchedStream(flipped(bytes, 5));
  const reader = new VerifyingReader(stream, descriptorOf(bytes, "sha512"));
  await assert.rejects(drain(reader), { code: "artifact-invalid" });
});

Deno.test("VerifyingReader stops a blob without end at the first byte too many", async () => {
  const watched = new WatchedStream(firmwareBytes(1_000_000), { chunkSizes: [100] });
  const reader = new VerifyingReader(watched.stream, { ...descriptorOf(bytes), size: 1000 });
  const taken: Uint8Array[] = [];
  await assert.rejects(async () => {
    for await (const chunk of reader) taken.push(chunk);
  }, { code: "artifact-invalid" });
  await watched.cancelled;
  assert.equal(watched.delivered, 1100);
  assert.equal(taken.length, 10);
});

Deno.test("VerifyingReader passes on a stream's own code, and makes one of any other error", async () => {
  const timeout = new ServiceError("source-timeout", "No progress");
  for (const [error, code] of [[timeout, "source-timeout"], [Error(), "source-unavailable"]]) {
    assert(error instanceof Error);
    const { stream } = new WatchedStream(bytes.subarray(0, 500), { error });
    const reader = new VerifyingReader(stream, descriptorOf(bytes));
    await assert.rejects(drain(reader), { code });
    assert.equal(reader.verified, false);
  }
});

Deno.test("VerifyingReader lets go of the stream when its reader stops early", async () => {
  const watched = new WatchedStream(bytes, { chunkSizes: [10] });
  const reader = new VerifyingReader(watched.stream, descriptorOf(bytes));
  for await (const _chunk of reader) break;
  await watched.cancelled;
  assert.equal(watched.delivered, 10);
  assert.equal(reader.verified, false);
});

Deno.test("peek() shows the beginning and takes nothing away, whatever the chunks", async () => {
  const cases = fc.record({
    length: fc.nat(300),
    chunkSizes: fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1 }),
    wanted: fc.nat(400),
  });
  await fc.assert(fc.asyncProperty(cases, async ({ length, chunkSizes, wanted }) => {
    const all = firmwareBytes(length);
    const peeked = await peek(new WatchedStream(all, { chunkSizes }).stream, wanted);
    assert(peeked.head.length >= Math.min(wanted, length));
    assert.deepEqual(peeked.head, all.slice(0, peeked.head.length));
    assert.deepEqual(await drain(peeked.all), new Uint8Array(all));
  }));
});

Deno.test("peek() reads no further than it must", async () => {
  const watched = new WatchedStream(bytes, { chunkSizes: [10] });
  await peek(watched.stream, 25);
  assert.equal(watched.delivered, 30);
});

Deno.test("peek()'s rest lets go of the source when its reader stops early", async () => {
  const watched = new WatchedStream(bytes, { chunkSizes: [10] });
  const { all } = await peek(watched.stream, 5);
  for await (const _chunk of all) break;
  await watched.cancelled;
});
