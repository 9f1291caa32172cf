import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createStatusRouter } from "../../src/status/router.ts";
import { readStatus } from "../../src/status/status.ts";
import { failingDevice, fakePorts, healthyDevice } from "../helpers/status_facts.ts";

const REFUSED = { code: "source-refused", reason: "No" } as const;

const PORTS = fakePorts({
  firmware: {
    devices: [healthyDevice("esp32-a"), failingDevice("esp32-b", REFUSED), healthyDevice("stm32")],
  },
});

for (
  const [path, type] of [
    ["/", "text/html; charset=utf-8"],
    ["/api/status", "application/json"],
  ] as const
) {
  Deno.test(`createStatusRouter() answers GET ${path}, for this moment and nobody else`, async () => {
    const response = await createStatusRouter(PORTS).request(path);
    assert.equal(response.status, 200);
    const { headers } = response;
    assert.equal(headers.get("content-type"), type);
    assert.equal(headers.get("cache-control"), "no-store");
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("referrer-policy"), "no-referrer");
    const body = await response.bytes();
    const head = await createStatusRouter(PORTS).request(path, { method: "HEAD" });
    assert.equal(head.headers.get("content-length"), String(body.length));
    assert.equal((await head.bytes()).length, 0);
  });

  Deno.test(`createStatusRouter() tells other methods at ${path} what is allowed`, async () => {
    const response = await createStatusRouter(PORTS).request(path, { method: "POST" });
    assert.deepEqual([response.status, response.headers.get("allow")], [405, "GET, HEAD"]);
  });
}

Deno.test("createStatusRouter() lets the browser use the page's own style and nothing else", async () => {
  const response = await createStatusRouter(PORTS).request("/");
  const [, style = ""] = /<style>([^]*)<\/style>/.exec(await response.text()) ?? [];
  const hash = createHash("sha256").update(style).digest("base64");
  assert.deepEqual(response.headers.get("content-security-policy")?.split("; "), [
    "default-src 'none'",
    `style-src 'sha256-${hash}'`,
    "img-src data:",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ]);
});

for (
  const [query, ids] of [
    ["", ["esp32-a", "esp32-b", "stm32"]],
    ["?device=esp", ["esp32-a", "esp32-b"]],
    ["?device=%20esp%20", ["esp32-a", "esp32-b"]],
    ["?only=failing", ["esp32-b"]],
    ["?only=other", ["esp32-a", "esp32-b", "stm32"]],
    ["?after=esp32-a", ["esp32-b", "stm32"]],
    ["?device=esp&after=esp32-a&only=failing", ["esp32-b"]],
    ["?device=nobody", []],
    [`?device=${"x".repeat(5000)}`, []],
  ] as const
) {
  Deno.test(`createStatusRouter() selects devices by ${query.slice(0, 50) || "nothing"}`, async () => {
    const response = await createStatusRouter(PORTS).request(`/api/status${query}`);
    const { devices } = await response.json();
    assert.deepEqual(devices.list.map(({ device }: { device: string }) => device), ids);
    assert.ok(devices.prefix.length <= 255);
  });
}

Deno.test("createStatusRouter() answers /api/status with all of the status", async () => {
  const response = await createStatusRouter(PORTS).request("/api/status");
  const wanted = readStatus(PORTS, { prefix: "", after: "", isFailing: false });
  assert.deepEqual(await response.json(), wanted);
});

Deno.test("createStatusRouter() answers as briefly for ten thousand devices as for a page of them", async () => {
  const sizeFor = async (count: number, path: string): Promise<number> => {
    const ids = Array.from({ length: count }, (_, at) => `d${String(at).padStart(6, "0")}`);
    const devices = ids.map((id) => failingDevice(id, REFUSED));
    const router = createStatusRouter(fakePorts({ firmware: { devices } }));
    return (await (await router.request(path)).bytes()).length;
  };
  for (const path of ["/", "/api/status"]) {
    const [few, many] = [await sizeFor(101, path), await sizeFor(10_000, path)];
    assert.ok(many < few + 100, `${path}: ${few} and ${many} bytes`);
  }
});
