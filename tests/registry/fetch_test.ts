import assert from "node:assert/strict";
import { describeError, ServiceError } from "../../src/errors.ts";
import { asUnavailable, createFetch, type FetchInit } from "../../src/registry/fetch.ts";
import { freePort } from "../helpers/free_port.ts";

const INIT: FetchInit = { method: "GET", headers: {} };
const fetch = createFetch({ userAgent: "OtaFlux/test" });

type Handler = (request: Request) => Response | Promise<Response>;

function serve(handler: Handler): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler);
}

function originOf({ addr }: { readonly addr: Deno.NetAddr }): string {
  return `http://127.0.0.1:${addr.port}`;
}

Deno.test("createFetch() says who asks, wants no coding and sends headers as they are", async () => {
  const asked: { readonly url: string; readonly headers: Headers }[] = [];
  await using server = serve(({ url, headers }) => {
    asked.push({ url, headers: new Headers(headers) });
    return new Response("tags");
  });
  const headers = { accept: "a/b, c/d", authorization: "Bearer x" };
  const response = await fetch(`${originOf(server)}/v2/?n=1`, { method: "GET", headers });
  assert.equal(await response.text(), "tags");
  const [request] = asked;
  assert.equal(request?.url, `${originOf(server)}/v2/?n=1`);
  assert.equal(request?.headers.get("user-agent"), "OtaFlux/test");
  assert.equal(request?.headers.get("accept-encoding"), "identity");
  assert.equal(request?.headers.get("accept"), "a/b, c/d");
  assert.equal(request?.headers.get("authorization"), "Bearer x");
});

Deno.test("createFetch() hands redirects on instead of following them", async () => {
  let requests = 0;
  await using server = serve(() => {
    requests++;
    return new Response(null, { status: 307, headers: { location: "/elsewhere" } });
  });
  const response = await fetch(originOf(server), INIT);
  assert.equal(response.status, 307);
  assert.equal(response.headers.get("location"), "/elsewhere");
  assert.equal(requests, 1);
});

Deno.test("createFetch() throws source-unavailable where nobody answers", async () => {
  const origin = `http://127.0.0.1:${freePort()}`;
  await assert.rejects(fetch(`${origin}/v2/`, INIT), (error) => {
    assert.ok(error instanceof ServiceError);
    assert.equal(error.code, "source-unavailable");
    assert.equal(error.message, "Registry cannot be reached");
    assert.ok(describeError(error).includes(origin), "the operator wants to know who");
    return true;
  });
});

Deno.test("createFetch() keeps the signature in an address out of its errors", async () => {
  const address =
    `http://127.0.0.1:${freePort()}/blobs/x?X-Amz-Signature=s3cret&X-Amz-Security-Token=t0ken`;
  await assert.rejects(fetch(address, INIT), (error) => {
    assert.doesNotMatch(describeError(error), /s3cret|t0ken/);
    return true;
  });
});

Deno.test("createFetch() throws the reason for which it was stopped", async () => {
  await using server = serve(() => new Response());
  const reason = new ServiceError("source-timeout", "no progress");
  const stopped = fetch(originOf(server), { ...INIT, signal: AbortSignal.abort(reason) });
  await assert.rejects(stopped, (error) => error === reason);
});

Deno.test("asUnavailable() gives a code to what has none", () => {
  const cause = new TypeError("connection reset");
  const error = asUnavailable(cause);
  assert.equal(error.code, "source-unavailable");
  assert.equal(error.cause, cause);
  const known = new ServiceError("source-timeout", "no progress");
  assert.equal(asUnavailable(known), known);
});
