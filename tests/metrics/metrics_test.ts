import assert from "node:assert/strict";
import { Metrics } from "../../src/metrics/metrics.ts";

Deno.test("Metrics has the series of the Rust OtaFlux, whose dashboards go on working", () => {
  const names = new Metrics().describe().map(({ name, type }) => `${name} ${type}`);
  for (
    const name of [
      "firmware_cache_hit_total counter",
      "firmware_cache_miss_total counter",
      "firmware_cache_entries gauge",
      "http_requests_total counter",
      "http_request_duration_seconds histogram",
    ]
  ) assert.ok(names.includes(name), name);
});

Deno.test("Metrics says of each series in a sentence what it is, and names its unit", () => {
  for (const { name, type, help } of new Metrics().describe()) {
    assert.match(help, /^\S.*\.$/, name);
    assert.equal(name.endsWith("_total"), type === "counter", name);
    // Prometheus's base units alone, see its "Metric and label naming".
    assert.doesNotMatch(name, /milliseconds|_ms\b|_kb\b|_mb\b|percent/, name);
  }
});

Deno.test("Metrics counts hits and misses by device, and says how many entries there are now", async () => {
  const metrics = new Metrics();
  metrics.firmware.hit("a/b");
  metrics.firmware.hit("a/b");
  metrics.firmware.hit("c");
  metrics.firmware.miss("c");
  metrics.firmware.entries(7);
  metrics.firmware.entries(2);
  const lines = (await metrics.expose()).split("\n");
  const series = lines.filter((line) => /^firmware_cache_(?:hit|miss|entries)/.test(line));
  assert.deepEqual(series, [
    `firmware_cache_hit_total{device_id="a/b"} 2`,
    `firmware_cache_hit_total{device_id="c"} 1`,
    `firmware_cache_miss_total{device_id="c"} 1`,
    "firmware_cache_entries 2",
  ]);
});

Deno.test("Metrics counts verifications by device and result", async () => {
  const metrics = new Metrics();
  metrics.firmware.verified("a/b", "valid");
  metrics.firmware.verified("a/b", "invalid");
  metrics.firmware.verified("a/b", "invalid");
  const lines = (await metrics.expose()).split("\n");
  assert.deepEqual(lines.filter((line) => line.startsWith("firmware_signature")), [
    'firmware_signature_verifications_total{device_id="a/b",result="valid"} 1',
    'firmware_signature_verifications_total{device_id="a/b",result="invalid"} 2',
  ]);
});

Deno.test("Metrics says whether the registry answers", async () => {
  const metrics = new Metrics();
  for (const isUp of [true, false, true]) {
    metrics.firmware.sourceUp(isUp);
    const lines = (await metrics.expose()).split("\n");
    assert(lines.includes(`registry_up ${isUp ? 1 : 0}`));
  }
});

Deno.test("Metrics reads each time how stale devices are, and drops those that are no more", async () => {
  const metrics = new Metrics();
  const series = async (): Promise<readonly string[]> =>
    (await metrics.expose()).split("\n").filter((line) => line.startsWith("firmware_stale"));
  assert.deepEqual(await series(), []);
  const stale = new Map([["a/b", 0], ["c", 12.5]]);
  metrics.firmware.observe({ staleness: () => stale, lastCheckSeconds: () => undefined });
  assert.deepEqual(await series(), [
    `firmware_stale_seconds{device_id="a/b"} 0`,
    `firmware_stale_seconds{device_id="c"} 12.5`,
  ]);
  stale.delete("a/b");
  stale.set("c", 13);
  assert.deepEqual(await series(), [`firmware_stale_seconds{device_id="c"} 13`]);
});

Deno.test("Metrics reads each time how many downloads are under way, and counts the refused", async () => {
  const metrics = new Metrics();
  const series = async (): Promise<readonly string[]> =>
    (await metrics.expose()).split("\n").filter((line) => line.startsWith("firmware_downloads"));
  assert.deepEqual(await series(), [
    "firmware_downloads_in_progress 0",
    "firmware_downloads_refused_total 0",
  ]);
  const underWay = { count: 2, sentBytes: 0 };
  metrics.downloads.observe(underWay);
  metrics.downloads.refused();
  assert.equal((await series())[0], "firmware_downloads_in_progress 2");
  underWay.count = 1;
  assert.deepEqual(await series(), [
    "firmware_downloads_in_progress 1",
    "firmware_downloads_refused_total 1",
  ]);
});

Deno.test("Metrics says how it stands with the broker", async () => {
  const metrics = new Metrics();
  metrics.mqtt.mqttConnected(true);
  metrics.mqtt.mqttPending(3);
  metrics.mqtt.mqttPublished("confirmed");
  metrics.mqtt.mqttPublished("confirmed");
  metrics.mqtt.mqttPublished("failed");
  const series = async (): Promise<readonly string[]> =>
    (await metrics.expose()).split("\n").filter((line) => line.startsWith("mqtt_"));
  assert.deepEqual(await series(), [
    "mqtt_connected 1",
    `mqtt_published_total{result="confirmed"} 2`,
    `mqtt_published_total{result="failed"} 1`,
    "mqtt_pending 3",
  ]);
  metrics.mqtt.mqttConnected(false);
  assert.equal((await series())[0], "mqtt_connected 0");
});

Deno.test("Metrics counts and times requests by method, path and status", async () => {
  const metrics = new Metrics();
  const labels = { method: "GET", path: "/version", status: 200 };
  metrics.requests.request(labels, 0.004);
  metrics.requests.request(labels, 0.3);
  metrics.requests.request({ ...labels, status: 404 }, 20);
  const lines = (await metrics.expose()).split("\n");
  const own = `method="GET",path="/version",status="200"`;
  assert(lines.includes(`http_requests_total{${own}} 2`));
  assert(lines.includes(`http_requests_total{method="GET",path="/version",status="404"} 1`));
  assert(lines.includes(`http_request_duration_seconds_sum{${own}} 0.304`));
  assert(lines.includes(`http_request_duration_seconds_count{${own}} 2`));
  const buckets = lines
    .filter((line) => line.startsWith("http_request_duration_seconds_bucket") && line.includes(own))
    .map((line) => /le="([^"]+)".* (\d+)$/.exec(line)?.slice(1).join(" "));
  assert.deepEqual(buckets, [
    "0.005 1",
    "0.01 1",
    "0.025 1",
    "0.05 1",
    "0.1 1",
    "0.25 1",
    "0.5 2",
    "1 2",
    "2.5 2",
    "5 2",
    "10 2",
    "+Inf 2",
  ]);
});

Deno.test("Metrics of one service are not those of another", async () => {
  const [one, other] = [new Metrics(), new Metrics()];
  one.firmware.hit("a");
  assert.doesNotMatch(await other.expose(), /device_id/);
});

Deno.test("Metrics describes each series that it exposes, with its labels", async () => {
  const metrics = new Metrics();
  const text = await metrics.expose();
  const described = metrics.describe();
  assert.deepEqual(
    described.map(({ name, type, help }) => [name, type, help]),
    [...text.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (.*)$/gm)]
      .map(([, name, help, type]) => [name, type, help]),
  );
  const requests = described.find(({ name }) => name === "http_requests_total");
  assert.deepEqual(requests?.labels, ["method", "path", "status"]);
});

Deno.test("Metrics counts polls by device and version, a bounded number of them", async () => {
  const metrics = new Metrics();
  const poll = (running: string, offered = "2.0.0"): void =>
    metrics.fleet.polled("a/b", { running, offered });
  poll("1.0.0");
  poll("v1.0.0");
  poll("nonsense");
  for (let minor = 1; minor < 30; minor++) poll(`1.${minor}.0`);
  poll("2.0.0");
  const lines = (await metrics.expose()).split("\n")
    .filter((line) => line.startsWith("firmware_device_polls_total"));
  assert.equal(lines.length, 21);
  assert(lines.includes(`firmware_device_polls_total{device_id="a/b",version="2.0.0"} 1`));
  assert(lines.includes(`firmware_device_polls_total{device_id="a/b",version="other"} 11`));
  assert(!lines.some((line) => line.includes(`version="1.0.0"`)));
});
