import assert from "node:assert/strict";
import type { Hono } from "hono";
import { Announcements } from "../../src/api/announcements.ts";
import { authorize } from "../../src/api/authorization.ts";
import { Downloads } from "../../src/api/downloads.ts";
import { createRouter } from "../../src/api/router.ts";
import { Metrics } from "../../src/metrics/metrics.ts";
import { asQuery, type Question } from "../../src/selection.ts";
import { trackRequests } from "../../src/metrics/middleware.ts";

const CHALLENGE = 'Basic realm="otaflux", charset="UTF-8", Bearer realm="otaflux"';

/** A router that knows one token, and what reaches the domain behind it. */
function guarded(): { router: Hono; asked: string[]; metrics: Metrics } {
  const asked: string[] = [];
  const ask = (question: Question): Promise<never> => {
    asked.push(asQuery(question).device);
    return Promise.reject(new Error("None here"));
  };
  const metrics = new Metrics();
  const router = createRouter({
    manager: {
      get: ask,
      getAnnounced: ask,
      open: ask,
      ageSeconds: () => undefined,
      isReady: () => true,
    },
    downloads: new Downloads({ idleMs: 60_000 }),
    announcements: new Announcements({ holdMs: 60_000 }),
    fleet: { polled: () => {} },
    observe: trackRequests(metrics),
    before: [authorize({
      accepts: (authorization) => authorization === "Bearer good",
      challenge: CHALLENGE,
    })],
  });
  return { router, asked, metrics };
}

for (const path of ["/version?device=a", "/firmware?device=a", "/version", "/anything", "/"]) {
  for (const method of ["GET", "HEAD", "POST"]) {
    Deno.test(`authorize() answers ${method} ${path} of a stranger with 401 and a challenge`, async () => {
      const { router, asked } = guarded();
      for (const authorization of [undefined, "Bearer bad", "Basic good"]) {
        const headers = authorization === undefined ? undefined : { authorization };
        const response = await router.request(path, { method, ...headers && { headers } });
        assert.equal(response.status, 401);
        assert.equal(response.headers.get("www-authenticate"), CHALLENGE);
        const body = method === "HEAD" ? "" : "Credentials are missing or wrong\n\n";
        assert.equal(await response.text(), body);
      }
      assert.deepEqual(asked, []);
    });
  }
}

Deno.test("authorize() lets through who knows a token", async () => {
  const { router, asked } = guarded();
  const headers = { authorization: "Bearer good" };
  assert.equal((await router.request("/version?device=a", { headers })).status, 500);
  assert.equal((await router.request("/anything", { headers })).status, 404);
  assert.deepEqual(asked, ["a"]);
});

for (
  const [path, status] of [
    ["/health", 200],
    ["/ready", 200],
    ["/webhooks/nobody", 404],
    ["/health/", 401],
    ["/healthy", 401],
    ["/ready/", 401],
    ["/webhooks", 401],
    ["//health", 401],
    ["/webhooks/../version?device=a", 401],
    ["/webhooks/%2e%2e/version?device=a", 401],
    ["/webhooks/..%2fversion?device=a", 404],
  ] as const
) {
  Deno.test(`authorize() answers ${path} of a stranger with ${status}`, async () => {
    const { router, asked } = guarded();
    const response = await router.request(`http://localhost${path}`);
    assert.equal(response.status, status);
    await response.body?.cancel();
    assert.deepEqual(asked, []);
  });
}

Deno.test("authorize() leaves refused requests in the metrics, by their route", async () => {
  const { router, metrics } = guarded();
  await (await router.request("/version?device=a")).body?.cancel();
  await (await router.request("/anything")).body?.cancel();
  const text = await metrics.expose();
  assert.match(text, /http_requests_total\{method="GET",path="\/version",status="401"\} 1/);
  assert.match(text, /http_requests_total\{method="GET",path="other",status="401"\} 1/);
});
