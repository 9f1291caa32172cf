import assert from "node:assert/strict";
import { Metrics } from "../../src/metrics/metrics.ts";

/** Lines of series whose names begin so. */
async function series(metrics: Metrics, prefix: string): Promise<readonly string[]> {
  return (await metrics.expose()).split("\n").filter((line) => line.startsWith(prefix));
}

async function valueOf(metrics: Metrics, name: string): Promise<number> {
  const [line = ""] = await series(metrics, `${name} `);
  return Number(line.slice(name.length));
}

Deno.test("RegistrySeries counts and times requests by kind and result, and bytes by kind", async () => {
  const metrics = new Metrics();
  metrics.registry.requested("tags", "ok", 0.02);
  metrics.registry.requested("tags", "ok", 40);
  metrics.registry.requested("blob", "timeout", 30);
  metrics.registry.received("blob", 1000);
  metrics.registry.received("blob", 24);
  const ok = `kind="tags",result="ok"`;
  assert.deepEqual(await series(metrics, "registry_requests_total{"), [
    `registry_requests_total{${ok}} 2`,
    `registry_requests_total{kind="blob",result="timeout"} 1`,
  ]);
  assert.deepEqual(await series(metrics, "registry_received_bytes_total{"), [
    `registry_received_bytes_total{kind="blob"} 1024`,
  ]);
  const text = await metrics.expose();
  assert(text.includes(`registry_request_duration_seconds_bucket{le="0.025",${ok}} 1\n`));
  assert(text.includes(`registry_request_duration_seconds_bucket{le="30",${ok}} 1\n`));
  assert(text.includes(`registry_request_duration_seconds_count{${ok}} 2\n`));
});

Deno.test("StoreSeries reads each time how much is kept, and counts what had to go", async () => {
  const metrics = new Metrics();
  let bytes = 10;
  metrics.store.observe({ bytes: () => bytes, maxBytes: 100 });
  assert.equal(await valueOf(metrics, "firmware_cache_bytes"), 10);
  bytes = 90;
  metrics.store.evicted();
  metrics.store.evicted();
  assert.equal(await valueOf(metrics, "firmware_cache_bytes"), 90);
  assert.equal(await valueOf(metrics, "firmware_cache_limit_bytes"), 100);
  assert.equal(await valueOf(metrics, "firmware_cache_evictions_total"), 2);
});

Deno.test("DownloadSeries exposes all bytes so far, however often it is read", async () => {
  const metrics = new Metrics();
  assert.equal(await valueOf(metrics, "firmware_sent_bytes_total"), 0);
  metrics.downloads.observe({ count: 1, sentBytes: 7 });
  for (const _ of [1, 2]) assert.equal(await valueOf(metrics, "firmware_sent_bytes_total"), 7);
});

Deno.test("FirmwareSeries says nothing before a check has succeeded", async () => {
  const metrics = new Metrics();
  let seconds: number | undefined;
  metrics.firmware.observe({ staleness: () => [], lastCheckSeconds: () => seconds });
  assert.deepEqual(await series(metrics, "firmware_last_check_seconds"), []);
  seconds = 1.5;
  assert.equal(await valueOf(metrics, "firmware_last_check_seconds"), 1.5);
  seconds = undefined;
  assert.deepEqual(await series(metrics, "firmware_last_check_seconds"), []);
});

Deno.test("FirmwareSeries counts checks that have failed by their code", async () => {
  const metrics = new Metrics();
  for (const code of ["storage-failed", "source-refused", "storage-failed"]) {
    metrics.firmware.checkFailed(code);
  }
  assert.deepEqual(await series(metrics, "firmware_check_failures_total"), [
    `firmware_check_failures_total{code="storage-failed"} 2`,
    `firmware_check_failures_total{code="source-refused"} 1`,
  ]);
});

Deno.test("TlsSeries says when the certificate in use expires, and nothing without one", async () => {
  const metrics = new Metrics();
  const name = "tls_certificate_expiry_time_seconds";
  assert.deepEqual(await series(metrics, name), []);
  const readings = { validTo: new Date(86_400_000) };
  metrics.tls.observe(readings);
  assert.equal(await valueOf(metrics, name), 86_400);
  readings.validTo = new Date(172_800_000);
  assert.equal(await valueOf(metrics, name), 172_800);
});

Deno.test("BuildSeries names version and commit, where there is one", async () => {
  for (const [commit, label] of [["abc123", "abc123"], [undefined, ""]] as const) {
    const metrics = new Metrics();
    metrics.build.set({ version: "1.2.3", commit });
    assert.deepEqual(await series(metrics, "otaflux_build_info"), [
      `otaflux_build_info{version="1.2.3",commit="${label}"} 1`,
    ]);
  }
});

Deno.test("The series of the process are what the system says of it", async () => {
  const metrics = new Metrics();
  const { rss, heapUsed } = Deno.memoryUsage();
  const isNear = (value: number, other: number): boolean => value > other / 4 && value < other * 4;
  assert(isNear(await valueOf(metrics, "process_resident_memory_bytes"), rss));
  assert(isNear(await valueOf(metrics, "process_heap_bytes"), heapUsed));
  assert(await valueOf(metrics, "process_external_memory_bytes") > 0);
  assert(await valueOf(metrics, "process_event_loop_lag_seconds") < 10);
  const age = Date.now() / 1000 - await valueOf(metrics, "process_start_time_seconds");
  // It began before this test, and not before the machine did.
  assert(age > 0 && age < Deno.osUptime(), `${age}`);
});

Deno.test("process_cpu_seconds_total grows with what is computed, and is not added up", async () => {
  const metrics = new Metrics();
  const before = await valueOf(metrics, "process_cpu_seconds_total");
  const start = performance.now();
  while (performance.now() - start < 30);
  const after = await valueOf(metrics, "process_cpu_seconds_total");
  assert(after > before && after < before + 5, `${before} ${after}`);
});
