import assert from "node:assert/strict";
import { Hono } from "hono";
import { Metrics } from "../../src/metrics/metrics.ts";
import { trackRequests } from "../../src/metrics/middleware.ts";

/** An application of one route that answers, one that fails and one with a parameter. */
function createApp(metrics: Metrics): Hono {
  const app = new Hono();
  app.use(trackRequests(metrics));
  app.get("/version", (c) => c.text("1.0.0"));
  app.all("/version", (c) => c.text("no", 405));
  app.get("/broken", () => {
    throw new Error("broken");
  });
  app.get("/things/:id", (c) => c.text(c.req.param("id")));
  app.onError((_error, c) => c.text("sorry", 502));
  return app;
}

async function seriesOf(metrics: Metrics): Promise<readonly string[]> {
  return (await metrics.expose()).split("\n")
    .filter((line) => line.startsWith("http_requests_total{"));
}

for (
  const [method, target, labels] of [
    ["GET", "/version?device=secret", `method="GET",path="/version",status="200"`],
    ["HEAD", "/version", `method="HEAD",path="/version",status="200"`],
    ["POST", "/version", `method="POST",path="/version",status="405"`],
    ["OPTIONS", "/version", `method="OPTIONS",path="/version",status="405"`],
    ["BREW", "/version", `method="other",path="/version",status="405"`],
    ["get", "/version", `method="GET",path="/version",status="200"`],
    ["GET", "/things/42", `method="GET",path="/things/:id",status="200"`],
    ["GET", "/broken", `method="GET",path="/broken",status="502"`],
    ["GET", "/wp-login.php", `method="GET",path="other",status="404"`],
    ["GET", "/version/", `method="GET",path="other",status="404"`],
    ["GET", "/*", `method="GET",path="other",status="404"`],
    ["PROPFIND", "/x", `method="other",path="other",status="404"`],
  ] as const
) {
  Deno.test(`trackRequests() labels ${method} ${target} with ${labels}`, async () => {
    const metrics = new Metrics();
    await createApp(metrics).request(target, { method });
    assert.deepEqual(await seriesOf(metrics), [`http_requests_total{${labels}} 1`]);
  });
}

Deno.test("trackRequests() makes one series of all that strangers ask for", async () => {
  const metrics = new Metrics();
  const app = createApp(metrics);
  for (let at = 0; at < 50; at++) await app.request(`/${at}`, { method: `M${at}` });
  assert.deepEqual(await seriesOf(metrics), [
    `http_requests_total{method="other",path="other",status="404"} 50`,
  ]);
});

Deno.test("trackRequests() times each request that it counts", async () => {
  const metrics = new Metrics();
  await createApp(metrics).request("/version");
  const labels = `method="GET",path="/version",status="200"`;
  const text = await metrics.expose();
  assert(text.includes(`http_request_duration_seconds_count{${labels}} 1`));
  const [, sum] = /http_request_duration_seconds_sum\{.*\} (\S+)/.exec(text) ?? [];
  // Seconds: milliseconds taken for them would be far more.
  assert(Number(sum) > 0 && Number(sum) < 10, sum);
});
