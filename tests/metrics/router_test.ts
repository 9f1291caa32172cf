import assert from "node:assert/strict";
import { Hono } from "hono";
import { Metrics } from "../../src/metrics/metrics.ts";
import { createMetricsRouter } from "../../src/metrics/router.ts";

Deno.test("createMetricsRouter() answers GET /metrics in Prometheus's text format", async () => {
  const metrics = new Metrics();
  metrics.firmware.entries(3);
  const response = await createMetricsRouter(metrics).request("/metrics");
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assert.match(await response.text(), /^firmware_cache_entries 3$/m);
});

Deno.test("createMetricsRouter() answers with what was counted until then", async () => {
  const metrics = new Metrics();
  const router = createMetricsRouter(metrics);
  for (const count of [1, 2]) {
    metrics.firmware.hit("esp32");
    const text = await (await router.request("/metrics")).text();
    assert(text.includes(`firmware_cache_hit_total{device_id="esp32"} ${count}\n`));
  }
});

Deno.test("createMetricsRouter() tells HEAD the length, and other methods what is allowed", async () => {
  const router = createMetricsRouter(new Metrics());
  const get = await router.request("/metrics");
  const { length } = await get.bytes();
  assert.equal(get.headers.get("content-length"), String(length));
  const head = await router.request("/metrics", { method: "HEAD" });
  // The process's own numbers have more digits, or fewer, the next moment.
  assert.ok(Math.abs(Number(head.headers.get("content-length")) - length) < 100);
  const post = await router.request("/metrics", { method: "POST" });
  assert.deepEqual([post.status, post.headers.get("allow")], [405, "GET, HEAD"]);
});

for (const [method, path] of [["GET", "/"], ["GET", "/version"]] as const) {
  Deno.test(`createMetricsRouter() has nothing at ${method} ${path}`, async () => {
    const response = await createMetricsRouter(new Metrics()).request(path, { method });
    assert.equal(response.status, 404);
  });
}

Deno.test("createMetricsRouter() answers what else it is given, and names it where there is nothing", async () => {
  const others = new Hono().get("/", (c) => c.text("page"));
  const router = createMetricsRouter(new Metrics(), others);
  assert.equal(await (await router.request("/")).text(), "page");
  const nothing = await router.request("/version");
  assert.equal(nothing.status, 404);
  assert.equal(await nothing.text(), "There is nothing at this path, only at /, /metrics\n");
});
