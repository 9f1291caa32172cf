import assert from "node:assert/strict";
import type { Hono } from "hono";
import { Announcements } from "../../src/api/announcements.ts";
import { Downloads } from "../../src/api/downloads.ts";
import { MemoryReader } from "../../src/store/memory.ts";
import { createRouter, type RouterOptions } from "../../src/api/router.ts";
import { ServiceError } from "../../src/errors.ts";
import type { Firmware } from "../../src/firmware/firmware.ts";
import { Metrics } from "../../src/metrics/metrics.ts";
import { trackRequests } from "../../src/metrics/middleware.ts";
import { repositoryOf } from "../../src/repository.ts";
import { asQuery } from "../../src/selection.ts";
import { orasArtifact } from "../helpers/artifacts.ts";
import { ManagerBench } from "../helpers/fake_source.ts";
import { crc32Reference, firmwareBytes } from "../helpers/firmware_bytes.ts";
import { Gate } from "../helpers/registry/gate.ts";

const PATHS =
  "/health, /ready, /version, /version.json, /firmware, /esphome/<device>/manifest.json, " +
  "/swupdate";
const METHOD_REFUSAL = "Method is not allowed here, want GET, HEAD\n\n";
const bytes = firmwareBytes(1000);
const firmware: Firmware = {
  tag: "v1.2.3-rc.1_7",
  version: "1.2.3-rc.1+7",
  digest: `sha256:${"0".repeat(64)}`,
  size: bytes.length,
  crc32: crc32Reference(bytes),
  sha256: "5e".repeat(32),
  md5: "d5".repeat(16),
  modifiedAt: new Date("2026-01-02T03:04:05Z"),
  annotations: { "org.opencontainers.image.description": "Waters the roses" },
  files: [],
};

/** A router on a manager that knows one firmware, or throws. */
function routerOf(failure?: Error, asked: string[] = []): Hono {
  const get = (device: string): Promise<Firmware> => {
    asked.push(device);
    // The source's own check of ids, whichever source it is.
    repositoryOf(device, "");
    return failure === undefined ? Promise.resolve(firmware) : Promise.reject(failure);
  };
  const options: RouterOptions = {
    manager: {
      get: async (question) => await get(asQuery(question).device),
      getAnnounced: async (question) => await get(asQuery(question).device),
      open: () => Promise.resolve(new MemoryReader(bytes)),
      ageSeconds: () => 7.9,
      isReady: () => true,
    },
    downloads: new Downloads({ idleMs: 60_000 }),
    announcements: new Announcements({ holdMs: 60_000 }),
    observe: trackRequests(new Metrics()),
  };
  return createRouter(options);
}

/** The length of the head as it goes over the wire, but for what the server adds. */
function headLength(response: Response): number {
  return [...response.headers].reduce(
    (length, [name, value]) => length + name.length + value.length + ": \r\n".length,
    "HTTP/1.1 200 \r\n\r\n".length + response.statusText.length,
  );
}

for (
  const [target, type, body, head] of [
    [
      "/version?device=esp32",
      "text/plain; charset=utf-8",
      new TextEncoder().encode(`1.2.3-rc.1+7\n${firmware.crc32}\n1000`),
      {
        ...{ age: "7", "cache-control": "no-cache", vary: "Accept" },
        etag: `"1.2.3-rc.1+7/${firmware.crc32}/1000"`,
      },
    ],
    ["/firmware?device=esp32", "application/octet-stream", bytes, {
      ...{ age: "7", "cache-control": "no-cache", "accept-ranges": "bytes" },
      etag: `"${firmware.sha256}"`,
      "last-modified": "Fri, 02 Jan 2026 03:04:05 GMT",
      "x-firmware-version": "1.2.3-rc.1+7",
      "x-firmware-crc32": String(firmware.crc32),
    }],
    ["/health", "text/plain; charset=utf-8", new Uint8Array(), {}],
  ] as const
) {
  Deno.test(`GET ${target} answers byte for byte`, async () => {
    const response = await routerOf().request(target);
    assert.equal(response.status, 200);
    // `Deno.serve` adds the length of what is whole, see tests/e2e/http_test.ts.
    const length = target.startsWith("/firmware") && { "content-length": String(body.length) };
    assert.deepEqual(Object.fromEntries(response.headers), {
      ...head,
      ...length,
      "content-type": type,
    });
    assert.deepEqual(new Uint8Array(await response.arrayBuffer()), new Uint8Array(body));
  });

  Deno.test(`HEAD ${target} answers the same without the body`, async () => {
    const response = await routerOf().request(target, { method: "HEAD" });
    assert.equal(response.status, 200);
    assert.deepEqual(Object.fromEntries(response.headers), {
      ...head,
      "content-length": String(body.length),
      "content-type": type,
    });
    assert.equal(response.body, null);
  });

  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"]) {
    Deno.test(`${method} ${target} is refused, and told what is allowed`, async () => {
      const asked: string[] = [];
      const response = await routerOf(undefined, asked).request(target, { method });
      assert.equal(response.status, 405);
      assert.equal(response.headers.get("allow"), "GET, HEAD");
      assert.equal(await response.text(), METHOD_REFUSAL);
      assert.deepEqual(asked, []);
    });
  }
}

for (const endpoint of ["/version", "/firmware"]) {
  for (
    const [query, message] of [
      ["", "Missing required query parameter: 'device'"],
      ["?", "Missing required query parameter: 'device'"],
      ["?device", "Missing required query parameter: 'device'"],
      ["?device=", "Missing required query parameter: 'device'"],
      ["?Device=esp32", "Missing required query parameter: 'device'"],
      ["?device=a&device=b", "Query parameter 'device' is given more than once"],
      ["?device=a&device=a", "Query parameter 'device' is given more than once"],
    ] as const
  ) {
    Deno.test(`GET ${endpoint}${query} says what is wrong`, async () => {
      const asked: string[] = [];
      const response = await routerOf(undefined, asked).request(`${endpoint}${query}`);
      assert.equal(response.status, 400);
      assert.equal(await response.text(), `${message}\n\n`);
      assert.deepEqual(asked, []);
    });
  }

  for (
    const id of [
      "..%2f..%2fetc",
      "%2e%2e",
      "a%2f..%2fb",
      "%2Fetc",
      "a%2f%2fb",
      "ESP32",
      "a%00",
      "a%0d%0aset-cookie:%20x",
      "%1b%5b31m",
      "a+b",
      "gr%C3%BCn",
      "%F0%9F%98%80",
      "%zz",
      "a".repeat(256),
      "%F0%9F%98%80".repeat(300),
    ]
  ) {
    Deno.test(`GET ${endpoint} refuses the device ${id.slice(0, 30)} in a short line`, async () => {
      const response = await routerOf().request(`${endpoint}?device=${id}`);
      assert.equal(response.status, 400);
      const body = await response.text();
      // deno-lint-ignore no-control-regex -- exactly these must not reach a terminal
      assert.match(body, /^[^\x00-\x1f\x7f]{1,250}\n\n$/);
      assert.match(body, /^Device id ".*(is no repository name|is too long)/);
    });
  }

  Deno.test(`GET ${endpoint} takes a device of several parts, encoded or not`, async () => {
    const asked: string[] = [];
    const router = routerOf(undefined, asked);
    for (const id of ["garden/pump", "garden%2Fpump"]) {
      assert.equal((await router.request(`${endpoint}?device=${id}`)).status, 200);
    }
    assert.deepEqual(asked, ["garden/pump", "garden/pump"]);
  });

  for (
    const [code, status, retryAfter] of [
      ["firmware-unknown", 404, null],
      ["artifact-invalid", 502, "30"],
      ["source-unavailable", 502, "7"],
      ["source-timeout", 504, "30"],
      ["firmware-gone", 503, "30"],
    ] as const
  ) {
    for (const method of ["GET", "HEAD"]) {
      Deno.test(`${method} ${endpoint} answers ${status} to ${code}`, async () => {
        const retryAfterSeconds = code === "source-unavailable" ? 7 : undefined;
        const error = new ServiceError(code, "Cannot", { cause: "hidden", retryAfterSeconds });
        const response = await routerOf(error).request(`${endpoint}?device=esp32`, { method });
        assert.equal(response.status, status);
        assert.equal(response.headers.get("retry-after"), retryAfter);
        assert.equal(await response.text(), method === "HEAD" ? "" : "Cannot\n\n");
      });
    }
  }

  Deno.test(`GET ${endpoint} tells nothing of an error that nobody expected`, async () => {
    const response = await routerOf(new Error("secret")).request(`${endpoint}?device=esp32`);
    assert.equal(response.status, 500);
    assert.equal(await response.text(), "Internal error\n\n");
  });
}

Deno.test("GET /firmware goes on fetching for the next one although its client has gone", async () => {
  const bench = new ManagerBench("esp32");
  bench.source.push("esp32", "1.0.0", orasArtifact(bytes.subarray(0, 1000)));
  const gate = bench.source.gate = new Gate();
  const router = createRouter({
    manager: bench.manager,
    downloads: new Downloads({ idleMs: 60_000 }),
    announcements: new Announcements({ holdMs: 60_000 }),
    observe: trackRequests(new Metrics()),
  });
  const client = new AbortController();
  const target = "http://localhost/firmware?device=esp32";
  const gone = router.request(new Request(target, { signal: client.signal }));
  await gate.arrived();
  client.abort();
  gate.open();
  await bench.manager.settled("esp32");
  await (await gone).body?.cancel();
  bench.source.forgetCalls();
  const response = await router.request(target);
  assert.deepEqual(await response.bytes(), bytes);
  assert.equal(response.headers.get("age"), "0");
  assert.deepEqual(bench.source.calls, []);
});

for (
  const [path, status, asked] of [
    ["/esphome/garden/pump/manifest.json", 404, ["garden/pump"]],
    ["/esphome/garden%2Fpump/manifest.json", 404, ["garden/pump"]],
    ["/esphome/manifest.json/manifest.json", 404, ["manifest.json"]],
    ["/esphome/UPPER/manifest.json", 400, ["UPPER"]],
    ["/esphome//manifest.json", 404, []],
    ["/esphome/manifest.json", 404, []],
    ["/swupdate", 400, []],
    ["/version.json", 400, []],
  ] as const
) {
  Deno.test(`GET ${path} answers ${status} in a short line`, async () => {
    const devices: string[] = [];
    const response = await routerOf(undefined, devices).request(path);
    assert.equal(response.status, status);
    assert.match(await response.text(), /^[A-Z][^\n]{5,250}\n\n$/);
    assert.deepEqual(devices, asked);
  });
}

for (
  const path of [
    "/",
    "/version/",
    "//version",
    "/Version",
    "/versionx",
    "/firmware/esp32",
    "/metrics",
  ]
) {
  Deno.test(`GET ${path} is nothing, and says what there is`, async () => {
    const response = await routerOf().request(`http://localhost${path}`);
    assert.equal(response.status, 404);
    const message = "There is nothing at this path, only at " + PATHS + "\n\n";
    assert.equal(await response.text(), message);
  });
}

Deno.test("All answers have a head below 700 bytes", async () => {
  const gone = new ServiceError("firmware-gone", "Gone", { retryAfterSeconds: 1e9 });
  const responses = await Promise.all([
    ...["/health", "/version?device=a", "/firmware?device=a", "/x", "/version"].flatMap((target) =>
      ["GET", "HEAD", "POST"].map((method) => routerOf().request(target, { method }))
    ),
    routerOf(gone).request("/firmware?device=a"),
    routerOf().request(`/version?device=${"x".repeat(5000)}`),
  ]);
  for (const response of responses) {
    const length = headLength(response);
    // The server adds its date and little else: 100 bytes are kept for it.
    assert(length < 600, `${length} bytes`);
    await response.body?.cancel();
  }
});
