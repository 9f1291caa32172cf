import assert from "node:assert/strict";
import { type Context, Hono } from "hono";
import { type Answer, answer, failure, respond, serviceFailure } from "../../src/api/answers.ts";
import { identifyRequests } from "../../src/api/request_id.ts";
import { type ErrorCode, ServiceError } from "../../src/errors.ts";

async function request(respond: (c: Context) => Response, method = "GET"): Promise<Response> {
  return await new Hono().all("*", respond).request("/", { method });
}

function failureOf(code: ErrorCode, retryAfterSeconds?: number): Promise<Response> {
  const error = new ServiceError(code, "Cannot do it", { retryAfterSeconds, cause: "secret" });
  return request((c) => serviceFailure(c, error));
}

const content: Answer = { status: 200, body: "grün\n" };

Deno.test("answer() to HEAD has the length in bytes that the body would have", async () => {
  const response = await request((c) => answer(c, content), "HEAD");
  assert.equal(response.headers.get("content-length"), "6");
  assert.equal(await response.text(), "");
});

Deno.test("answer() is plain text, where nothing else is said, and keeps other headers", async () => {
  const response = await request((c) => answer(c, { ...content, headers: { allow: "GET" } }));
  assert.equal(await response.text(), "grün\n");
  assert.deepEqual(Object.fromEntries(response.headers), {
    "allow": "GET",
    "content-type": "text/plain; charset=utf-8",
  });
  const other = await request((c) => answer(c, { ...content, type: "application/json" }));
  assert.equal(other.headers.get("content-type"), "application/json");
});

Deno.test("respond() says the request's name where the head has room for it", async () => {
  const app = new Hono();
  app.use(identifyRequests({ makeId: () => "made" }));
  app.get(
    "/:length",
    (c) =>
      respond(c, { status: 204, headers: { "x-long": "x".repeat(Number(c.req.param("length"))) } }),
  );
  // What is not in the fields takes 107 bytes: 479 in all is the most.
  const room = 479 - 107 - "x-long: \r\n".length - "x-request-id: made\r\n".length;
  for (const [length, id] of [[1, "made"], [room, "made"], [room + 1, null]]) {
    assert.equal((await app.request(`/${length}`)).headers.get("x-request-id"), id);
  }
});

Deno.test("failure() ends with two line breaks", async () => {
  const response = await request((c) => failure(c, { status: 404, body: "Nothing" }));
  assert.equal(response.status, 404);
  assert.equal(await response.text(), "Nothing\n\n");
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
