import assert from "node:assert/strict";
import { type Context, Hono } from "hono";
import { type Answer, answer, failure, serviceFailure, text } from "../../src/api/answers.ts";
import { type ErrorCode, ServiceError } from "../../src/errors.ts";

async function request(respond: (c: Context) => Response, method = "GET"): Promise<Response> {
  return await new Hono().all("*", respond).request("/", { method });
}

function failureOf(code: ErrorCode, retryAfterSeconds?: number): Promise<Response> {
  const error = new ServiceError(code, "Cannot do it", { retryAfterSeconds, cause: "secret" });
  return request((c) => serviceFailure(c, error));
}

const content: Answer = { status: 200, body: "grün\n" };

for (const method of ["GET", "HEAD"]) {
  Deno.test(`answer() to ${method} has the length in bytes`, async () => {
    const response = await request((c) => answer(c, content), method);
    assert.equal(response.headers.get("content-length"), "6");
    assert.equal(await response.text(), method === "HEAD" ? "" : "grün\n");
  });
}

Deno.test("answer() sends bytes as they are", async () => {
  const body = new Uint8Array([0, 0xff, 0xe9, 0x0a]);
  const response = await request((c) => answer(c, { status: 200, body }));
  assert.deepEqual(new Uint8Array(await response.arrayBuffer()), body);
  assert.deepEqual([...response.headers], [["content-length", "4"]]);
});

Deno.test("text() says that it is text, and keeps other headers", async () => {
  const response = await request((c) => text(c, { ...content, headers: { allow: "GET" } }));
  assert.deepEqual(Object.fromEntries(response.headers), {
    "allow": "GET",
    "content-length": "6",
    "content-type": "text/plain; charset=utf-8",
  });
});

Deno.test("failure() ends with two line breaks", async () => {
  const response = await request((c) => failure(c, { status: 404, body: "Nothing" }));
  assert.equal(response.status, 404);
  assert.equal(await response.text(), "Nothing\n\n");
  assert.equal(response.headers.get("content-length"), "9");
});

for (
  const [code, status, retryAfter] of [
    ["device-invalid", 400, null],
    ["firmware-unknown", 404, null],
    ["firmware-gone", 503, "30"],
    ["artifact-invalid", 502, "30"],
    ["signature-invalid", 502, "30"],
    ["source-unavailable", 502, "30"],
    ["source-timeout", 504, "30"],
    ["source-refused", 502, "30"],
    ["source-invalid", 502, "30"],
  ] as const
) {
  Deno.test(`serviceFailure() makes ${status} of ${code}, retry-after ${retryAfter}`, async () => {
    const response = await failureOf(code);
    assert.equal(response.status, status);
    assert.equal(response.headers.get("retry-after"), retryAfter);
    assert.equal(await response.text(), "Cannot do it\n\n");
  });
}

for (const [wish, said] of [[0, "1"], [1, "1"], [120, "120"], [3600, "3600"], [86_400, "3600"]]) {
  Deno.test(`serviceFailure() makes ${said} seconds of the source's wish for ${wish}`, async () => {
    const response = await failureOf("source-unavailable", Number(wish));
    assert.equal(response.headers.get("retry-after"), said);
  });
}

Deno.test("serviceFailure() does not send devices that are wrong away until later", async () => {
  assert.equal((await failureOf("firmware-unknown", 60)).headers.get("retry-after"), null);
});
