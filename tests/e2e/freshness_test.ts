import assert from "node:assert/strict";
import { orasArtifact } from "../helpers/artifacts.ts";
import { debianTool } from "../helpers/debian.ts";
import { DockerRegistry } from "../helpers/docker_registry.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { crc32Reference, firmwareBytes } from "../helpers/firmware_bytes.ts";
import { Otaflux } from "../helpers/otaflux.ts";
import { RawConnection } from "../helpers/raw_http.ts";
import * as faults from "../helpers/registry/faults.ts";
import { Gate } from "../helpers/registry/gate.ts";

const tool = await debianTool("docker-registry");

const OLD = firmwareBytes(100_000, 1);
const NEW = firmwareBytes(120_000, 2);
/** More than all buffers on the way take: a download of it can be stopped in its middle. */
const LARGE = firmwareBytes(32 * 1024 * 1024, 3);

/** Short, so that the checks behind come soon; tests wait for what is logged, not for time. */
const INTERVAL = ["--refresh-interval", "200ms"];

const DOWN = "Registry does not answer";
const UP = "Registry answers again";
const KEPT = "Cannot check for a newer firmware, serving the known one";
const CHECKED = "Firmware is checked again";

function withDockerRegistry(
  name: string,
  test: (registry: DockerRegistry) => Promise<void>,
): void {
  Deno.test({
    name: `docker-registry: ${name}`,
    ignore: "skip" in tool,
    fn: async () => {
      if ("skip" in tool) return;
      await using registry = await DockerRegistry.start(tool, { auth: false });
      await test(registry);
    },
  });
}

function withFakeRegistry(name: string, test: (registry: FakeRegistry) => Promise<void>): void {
  Deno.test(name, async () => {
    await using registry = new FakeRegistry();
    registry.push("pump", "1.0.0", orasArtifact(OLD));
    await test(registry);
  });
}

function serviceFor(registry: { readonly origin: string }, ...args: string[]): Promise<Otaflux> {
  return Otaflux.start({ args: ["--registry-url", registry.origin, ...INTERVAL, ...args] });
}

/** What a device is told, and how old that is. */
async function ask(otaflux: Otaflux): Promise<{ version: string; age: number }> {
  const response = await fetch(`${otaflux.origin}/version?device=pump`);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const age = response.headers.get("age") ?? "";
  assert.match(age, /^\d+$/);
  return { version: text.split("\n")[0] ?? "", age: Number(age) };
}

/** Asks for both as a device does, and says which version that was; its bytes are always whole. */
async function update(otaflux: Otaflux): Promise<string> {
  using connection = await RawConnection.open(otaflux.port);
  const version = await connection.ask("GET /version?device=pump HTTP/1.1\r\nHost: x\r\n\r\n");
  const firmware = await connection.ask("GET /firmware?device=pump HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.deepEqual([version.status, firmware.status], [200, 200]);
  const [name = "", crc32, size] = new TextDecoder().decode(version.body).split("\n");
  assert.deepEqual([size, crc32], [
    `${firmware.body.length}`,
    `${crc32Reference(firmware.body)}`,
  ]);
  return name;
}

async function metric(otaflux: Otaflux, series: string): Promise<number> {
  const lines = (await otaflux.metrics()).split("\n");
  const line = lines.find((line) => line.startsWith(`${series} `));
  assert.ok(line, `${series} in ${lines.join("\n")}`);
  return Number(line.split(" ")[1]);
}

const registryUp = (otaflux: Otaflux): Promise<number> => metric(otaflux, "registry_up");
const staleSeconds = (otaflux: Otaflux): Promise<number> =>
  metric(otaflux, `firmware_stale_seconds{device_id="pump"}`);

/** How often something was logged so far. */
function countOf(otaflux: Otaflux, message: string): number {
  return otaflux.records.filter((record) => record.message === message).length;
}

withDockerRegistry(
  "devices are served at once while it is stopped, and it may come back",
  async (registry) => {
    await registry.push("pump", "1.0.0", orasArtifact(OLD));
    await using otaflux = await serviceFor(registry);
    assert.deepEqual(await ask(otaflux), { version: "1.0.0", age: 0 });
    assert.deepEqual([await registryUp(otaflux), await staleSeconds(otaflux)], [1, 0]);

    await registry.stop();
    await otaflux.logged(DOWN);
    for (let request = 0; request < 20; request++) assert.equal(await update(otaflux), "1.0.0");
    assert.equal(await registryUp(otaflux), 0);
    assert.ok(await staleSeconds(otaflux) > 0);
    assert.deepEqual([countOf(otaflux, DOWN), countOf(otaflux, KEPT)], [1, 1]);

    await registry.start();
    await otaflux.logged(UP);
    await otaflux.logged(CHECKED, { device: "pump" });
    assert.deepEqual([await registryUp(otaflux), await staleSeconds(otaflux)], [1, 0]);
    await registry.push("pump", "1.1.0", orasArtifact(NEW));
    await otaflux.logged("Fetched firmware", { version: "1.1.0" });
    assert.equal(await update(otaflux), "1.1.0");
  },
);

withDockerRegistry(
  "devices are served at once while it is frozen, and it may go on",
  async (registry) => {
    await registry.push("pump", "1.0.0", orasArtifact(OLD));
    await registry.push("cold", "1.0.0", orasArtifact(NEW));
    await using otaflux = await serviceFor(registry, "--registry-timeout", "1s");
    await update(otaflux);
    await registry.pause();
    // Nothing lets it go on before these are answered.
    for (let request = 0; request < 50; request++) assert.equal(await update(otaflux), "1.0.0");
    const { reason } = await otaflux.logged(DOWN);
    assert.match(String(reason), /made no progress/);
    assert.equal(await update(otaflux), "1.0.0");
    assert.equal(await registryUp(otaflux), 0);
    assert.ok(await staleSeconds(otaflux) >= 1);
    assert.ok((await ask(otaflux)).age >= 1);
    const cold = await fetch(`${otaflux.origin}/version?device=cold`);
    assert.ok([502, 504].includes(cold.status), `${cold.status}`);
    assert.match(cold.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
    await cold.body?.cancel();

    registry.resume();
    await otaflux.logged(UP);
    await otaflux.logged(CHECKED, { device: "pump" });
    assert.deepEqual([await registryUp(otaflux), await staleSeconds(otaflux)], [1, 0]);
  },
);

for (
  const [what, disturb, mend] of [
    ["restarted", async (registry) => {
      await registry.kill();
      await registry.start();
    }, () => {}],
    ["frozen", (registry) => registry.pause(), (registry) => registry.resume()],
  ] as const satisfies readonly (readonly [
    string,
    (registry: DockerRegistry) => Promise<void>,
    (registry: DockerRegistry) => void,
  ])[]
) {
  withDockerRegistry(
    `it is ${what} in the middle of a download, and nobody notices`,
    async (registry) => {
      await registry.push("pump", "1.0.0", orasArtifact(OLD));
      const gate = new Gate();
      let downloads = 0;
      await using proxy = haltingProxy(registry, { gate, onDownload: () => downloads++ });
      const origin = `http://127.0.0.1:${proxy.addr.port}`;
      await using otaflux = await serviceFor({ origin }, "--registry-timeout", "1s");
      assert.equal(await update(otaflux), "1.0.0");

      await registry.push("pump", "1.1.0", orasArtifact(LARGE));
      await gate.arrived();
      assert.equal(await update(otaflux), "1.0.0");
      await disturb(registry);
      gate.open();
      assert.equal(await update(otaflux), "1.0.0");
      if (what === "frozen") {
        await otaflux.logged(DOWN);
        assert.equal(await update(otaflux), "1.0.0");
      }
      mend(registry);
      await otaflux.logged("Fetched firmware", { version: "1.1.0" });
      assert.equal(downloads, 2, "the first one broke off");
      assert.equal(await update(otaflux), "1.1.0");
    },
  );
}

withDockerRegistry(
  "a version that is withdrawn is followed down, without a request",
  async (registry) => {
    const withdrawn = orasArtifact(NEW);
    await registry.push("pump", "1.0.0", orasArtifact(OLD));
    await registry.push("pump", "1.1.0", withdrawn);
    await using otaflux = await serviceFor(registry);
    assert.equal((await ask(otaflux)).version, "1.1.0");
    await registry.deleteManifest("pump", withdrawn.digest);
    await otaflux.logged("Fetched firmware", { version: "1.0.0" });
    assert.equal((await ask(otaflux)).version, "1.0.0");
  },
);

withFakeRegistry(
  "devices are served at once while a check hangs, and it is a single one",
  async (registry) => {
    await using otaflux = await serviceFor(registry);
    assert.equal(await update(otaflux), "1.0.0");
    registry.push("pump", "1.1.0", orasArtifact(NEW));
    const gate = registry.gate({ kind: "tags" });
    await gate.arrived();
    registry.forgetRequests();
    for (let request = 0; request < 50; request++) assert.equal(await update(otaflux), "1.0.0");
    assert.deepEqual(registry.requests, []);
    gate.open();
    await otaflux.logged("Fetched firmware", { version: "1.1.0" });
    assert.equal(await update(otaflux), "1.1.0");
  },
);

withFakeRegistry("a push is found without any further request of a device", async (registry) => {
  await using otaflux = await serviceFor(registry);
  assert.equal((await ask(otaflux)).version, "1.0.0");
  registry.push("pump", "1.1.0", orasArtifact(NEW));
  await otaflux.logged("Fetched firmware", { version: "1.1.0" });
  assert.equal((await ask(otaflux)).version, "1.1.0");
  const requests = `http_requests_total{method="GET",path="/version",status="200"}`;
  assert.equal(await metric(otaflux, requests), 2);
});

withFakeRegistry(
  "a device that is tracked for no time is checked when it asks, and only then",
  async (registry) => {
    await using otaflux = await serviceFor(registry, "--track-for", "0");
    assert.equal((await ask(otaflux)).version, "1.0.0");
    registry.push("watched", "1.0.0", orasArtifact(NEW));
    registry.forgetRequests();
    // Of the other service the device is checked over and over: by then it would have been here, too.
    await using other = await serviceFor(registry);
    await (await fetch(`${other.origin}/version?device=watched`)).body?.cancel();
    const gate = registry.gate({ kind: "tags", repository: "watched" });
    gate.open();
    await gate.arrived(3);
    assert.equal(registry.count({ repository: "pump" }), 0);
  },
);

for (
  const [what, fault, isUp] of [
    ["401", faults.status(401), 1],
    ["403", faults.status(403), 1],
    ["nonsense", faults.garbage(), 1],
    ["429", faults.tooManyRequests(1), 0],
    ["500", faults.status(500), 0],
  ] as const
) {
  withFakeRegistry(
    `devices are served through ${what}, which is said once and measured`,
    async (registry) => {
      await using otaflux = await serviceFor(registry);
      assert.equal(await update(otaflux), "1.0.0");
      {
        using _fault = registry.fault({ match: {}, respond: fault });
        await otaflux.logged(KEPT, { device: "pump" });
        for (let request = 0; request < 20; request++) assert.equal(await update(otaflux), "1.0.0");
        assert.ok(await staleSeconds(otaflux) > 0);
        if (isUp === 0) await otaflux.logged(DOWN);
        assert.equal(await registryUp(otaflux), isUp);
      }
      await otaflux.logged(CHECKED, { device: "pump" });
      assert.deepEqual([await registryUp(otaflux), await staleSeconds(otaflux)], [1, 0]);
      assert.equal(countOf(otaflux, KEPT), 1);
      assert.equal(countOf(otaflux, DOWN), 1 - isUp);
    },
  );
}

withFakeRegistry(
  "a download goes on although the device that wanted it has gone",
  async (registry) => {
    const gate = registry.gate({ kind: "blob" });
    await using otaflux = await serviceFor(registry, "--refresh-interval", "60s");
    {
      using connection = await RawConnection.open(otaflux.port);
      await connection.send("GET /firmware?device=pump HTTP/1.1\r\nHost: x\r\n\r\n");
      await gate.arrived();
    }
    gate.open();
    await otaflux.logged("Fetched firmware");
    assert.equal(await update(otaflux), "1.0.0");
    assert.equal(registry.count({ kind: "blob" }), 1);
  },
);

withFakeRegistry("a loop of a misspelt id costs the registry one request", async (registry) => {
  await using otaflux = await serviceFor(registry, "--unknown-for", "1h");
  for (let request = 0; request < 50; request++) {
    const response = await fetch(`${otaflux.origin}/version?device=pmup`);
    assert.equal(response.status, 404);
    assert.equal(await response.text(), "No firmware for device 'pmup'\n\n");
  }
  assert.equal(registry.count({ repository: "pmup" }), 1);
});

/** Hands on what a registry answers, but stops a large body after its beginning at a gate. */
function haltingProxy(
  registry: DockerRegistry,
  { gate, onDownload }: { readonly gate: Gate; readonly onDownload: () => void },
): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: () => {},
    // What the registry breaks off is broken off here, too.
    onError: () => new Response(null, { status: 502 }),
  }, async ({ url, method, headers }) => {
    const { pathname, search } = new URL(url);
    const answer = await fetch(registry.origin + pathname + search, { method, headers });
    const length = Number(answer.headers.get("content-length"));
    if (answer.body === null || method !== "GET" || length < LARGE.length) return answer;
    onDownload();
    const halting = new TransformStream<Uint8Array, Uint8Array>({
      transform: async (chunk, controller) => {
        controller.enqueue(chunk);
        await gate.pass();
      },
    });
    return new Response(answer.body.pipeThrough(halting), answer);
  });
}

Deno.test("/ready says whether anything can be served, and notices that the registry is back", async () => {
  await using registry = new FakeRegistry();
  await using otaflux = await Otaflux.start({ args: ["--registry-url", registry.origin] });
  const ready = async (): Promise<readonly [number, string]> => {
    const response = await fetch(`${otaflux.origin}/ready`);
    return [response.status, await response.text()];
  };
  assert.deepEqual(await ready(), [200, ""], "nothing bad is known yet");
  {
    using _ = registry.fault({ match: {}, respond: faults.status(503) });
    await (await fetch(`${otaflux.origin}/version?device=pump`)).body?.cancel();
    const reason = "Source of firmware does not answer, and nothing is cached\n\n";
    assert.deepEqual(await ready(), [503, reason]);
  }
  // Each question looks whether the pause is over; nobody asks for a device.
  while ((await ready())[0] !== 200);
  await otaflux.logged(UP);
});
