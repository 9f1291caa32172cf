import assert from "node:assert/strict";
import { readBody } from "../../src/api/body.ts";

const LIMITS = { maxBytes: 10, maxMs: 60_000 };

function requestOf(body: BodyInit | null): Request {
  return new Request("http://localhost/", { method: "POST", body });
}

Deno.test("readBody() reads a body in whatever pieces it comes, up to its limit", async () => {
  const pieces = ["abc", "defg", "hij"].map((text) => new TextEncoder().encode(text));
  const bytes = await readBody(requestOf(ReadableStream.from(pieces)), LIMITS);
  assert.deepEqual(bytes, new TextEncoder().encode("abcdefghij"));
  assert.deepEqual(await readBody(requestOf(null), LIMITS), new Uint8Array());
});

Deno.test("readBody() reads nothing of a body in chunks, which does not say how long it is", async () => {
  let isRead = false;
  const body = new ReadableStream({ pull: () => void (isRead = true) }, { highWaterMark: 0 });
  const request = new Request("http://localhost/", {
    method: "POST",
    headers: { "transfer-encoding": "chunked" },
    body,
  });
  assert.equal(await readBody(request, LIMITS), "endless");
  assert(!isRead);
});

Deno.test("readBody() gives up a body that does not come", async () => {
  let isCancelled = false;
  const body = new ReadableStream({ cancel: () => void (isCancelled = true) });
  assert.equal(await readBody(requestOf(body), { ...LIMITS, maxMs: 1 }), "too-slow");
  assert(isCancelled);
});

Deno.test("readBody() tells a body that is too large from one that breaks off", async () => {
  assert.equal(await readBody(requestOf("x".repeat(11)), LIMITS), "too-large");
  const broken = new ReadableStream({ pull: () => Promise.reject(new Error("reset")) });
  assert.equal(await readBody(requestOf(broken), LIMITS), "cut");
});
