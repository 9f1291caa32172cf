import assert from "node:assert/strict";
import { Metrics } from "../../src/metrics/metrics.ts";
import { createMetricsRouter } from "../../src/metrics/router.ts";

Deno.test("createMetricsRouter() answers GET /metrics in Prometheus's text format", async () => {
  const metrics = new Metrics();
  metrics.entries(3);
  const response = await createMetricsRouter(metrics).request("/metrics");
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assert.match(await response.text(), /^firmware_cache_entries 3$/m);
});

Deno.test("createMetricsRouter() answers with what was counted until then", async () => {
  const metrics = new Metrics();
  const router = createMetricsRouter(metrics);
  for (const count of [1, 2]) {
    metrics.hit("esp32");
    const text = await (await router.request("/metrics")).text();
    assert(text.includes(`firmware_cache_hit_total{device_id="esp32"} ${count}\n`));
  }
});

for (const [method, path] of [["GET", "/"], ["GET", "/version"], ["POST", "/metrics"]] as const) {
  Deno.test(`createMetricsRouter() has nothing at ${method} ${path}`, async () => {
    const response = await createMetricsRouter(new Metrics()).request(path, { method });
    assert.equal(response.status, 404);
  });
}
