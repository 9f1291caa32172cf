import assert from "node:assert/strict";
import { orasArtifact } from "../helpers/artifacts.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { Otaflux } from "../helpers/otaflux.ts";
import { SUBJECT_LACKS_TRACES } from "../helpers/subject.ts";

const DEVICE = "esp32";
const BYTES = firmwareBytes(100_000, 1);

/** W3C Trace Context: version, trace id, span id, and that it is sampled. */
const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const TRACEPARENT = `00-${TRACE_ID}-b7ad6b7169203331-01`;

function start(
  registry: FakeRegistry,
  env: Readonly<Record<string, string>> = {},
): Promise<Otaflux> {
  return Otaflux.start({ args: ["--registry-url", registry.origin], env });
}

async function download(otaflux: Otaflux, headers: Record<string, string> = {}): Promise<void> {
  const response = await fetch(`${otaflux.origin}/firmware?device=${DEVICE}`, { headers });
  assert.deepEqual(await response.bytes(), BYTES);
}

async function valueOf(otaflux: Otaflux, series: string): Promise<number> {
  const line = (await otaflux.metrics()).split("\n").find((line) => line.startsWith(`${series} `));
  return Number(line?.slice(series.length));
}

Deno.test("metrics say what was asked of the registry, and how many bytes went both ways", async () => {
  await using registry = new FakeRegistry({ auth: { mode: "bearer" }, redirectBlobs: true });
  registry.push(DEVICE, "1.0.0", orasArtifact(BYTES));
  await using otaflux = await start(registry);
  for (const _ of [1, 2, 3]) await download(otaflux);
  for (
    const [kind, result] of [
      ["tags", "unauthorized"],
      ["token", "ok"],
      ["tags", "ok"],
      ["manifest", "ok"],
      ["blob", "redirect"],
      ["blob", "ok"],
    ] as const
  ) {
    const labels = `{kind="${kind}",result="${result}"}`;
    assert.equal(await valueOf(otaflux, `registry_requests_total${labels}`), 1, labels);
    const count = `registry_request_duration_seconds_count${labels}`;
    assert.equal(await valueOf(otaflux, count), 1, labels);
  }
  const received = await valueOf(otaflux, `registry_received_bytes_total{kind="blob"}`);
  assert.equal(received, BYTES.length);
  assert.equal(await valueOf(otaflux, "firmware_sent_bytes_total"), 3 * BYTES.length);
  assert.equal(await valueOf(otaflux, "firmware_cache_bytes"), BYTES.length);
  assert.equal(await valueOf(otaflux, "firmware_cache_limit_bytes"), 256 * 1024 ** 2);
  assert.ok(await valueOf(otaflux, "firmware_last_check_seconds") < 60);
  for (const record of otaflux.records) {
    assert.deepEqual(Object.keys(record).slice(0, 4), ["time", "level", "room", "message"]);
  }
});

Deno.test("with OTEL_DENO a device's trace goes on at the registry", {
  ignore: SUBJECT_LACKS_TRACES,
}, async () => {
  const credentials = { username: "robot", password: "correct-horse" };
  await using registry = new FakeRegistry({ auth: { mode: "basic", ...credentials } });
  registry.push(DEVICE, "1.0.0", orasArtifact(BYTES));
  await using collector = new Collector();
  await using otaflux = await start(registry, {
    REGISTRY_USERNAME: credentials.username,
    REGISTRY_PASSWORD: credentials.password,
    OTEL_DENO: "true",
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.origin,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_BSP_SCHEDULE_DELAY: "50",
  });
  await download(otaflux, { traceparent: TRACEPARENT });
  assert.ok(registry.requests.length >= 3);
  for (const { path, headers } of registry.requests) {
    const [version, traceId, spanId] = headers.get("traceparent")?.split("-") ?? [];
    assert.deepEqual([version, traceId], ["00", TRACE_ID], path);
    assert.notEqual(spanId, "b7ad6b7169203331", "each request is a span of its own");
  }
  const spans = await collector.received(`/v2/${DEVICE}/blobs/`);
  assert.ok(spans.includes(TRACE_ID));
  for (const secret of [credentials.password, btoa("robot:correct-horse")]) {
    assert.ok(!spans.includes(secret));
  }
});

Deno.test("without OTEL_DENO no trace is passed on", async () => {
  await using registry = new FakeRegistry();
  registry.push(DEVICE, "1.0.0", orasArtifact(BYTES));
  await using otaflux = await start(registry);
  await download(otaflux, { traceparent: TRACEPARENT });
  assert.ok(registry.requests.length >= 3);
  for (const { headers } of registry.requests) assert.equal(headers.get("traceparent"), null);
});

/** Takes what is sent by OTLP. */
class Collector implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #waiting = new Set<() => void>();
  #text = "";

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request) => {
        this.#text += await request.text();
        for (const wake of this.#waiting) wake();
        return Response.json({});
      },
    );
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Waits until something was sent that holds a text, and gives all so far. */
  async received(text: string): Promise<string> {
    while (!this.#text.includes(text)) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
    return this.#text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}
