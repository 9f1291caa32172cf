import assert from "node:assert/strict";
import type { Status } from "../../src/status/status.ts";
import { orasArtifact } from "../helpers/artifacts.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { freePort } from "../helpers/free_port.ts";
import { Otaflux } from "../helpers/otaflux.ts";
import * as faults from "../helpers/registry/faults.ts";

const PASSWORD = "correct-horse-battery";

async function statusOf({ metricsOrigin }: Otaflux): Promise<Status> {
  return await (await fetch(`${metricsOrigin}/api/status`)).json();
}

async function pageOf({ metricsOrigin }: Otaflux): Promise<string> {
  return await (await fetch(`${metricsOrigin}/`)).text();
}

async function ask({ origin }: Otaflux, device: string): Promise<number> {
  const response = await fetch(`${origin}/version?device=${device}`);
  await response.body?.cancel();
  return response.status;
}

Deno.test("the page tells of devices, of a registry that goes away, and of its return", async () => {
  await using registry = new FakeRegistry();
  registry.push("factory/pump", "1.2.3", orasArtifact(firmwareBytes(314_159, 1)));
  await using otaflux = await Otaflux.start({
    args: [
      ...["--registry-url", registry.origin, "--repository-prefix", "factory"],
      ...["--registry-username", "robot", "--registry-password", PASSWORD],
      ...["--refresh-interval", "100ms"],
    ],
  });
  assert.match(await pageOf(otaflux), /<h1[^>]*>All is well<[^]*None has asked since the start/);

  for (const current of ["1.2.2", "1.2.3", "1.2.3"]) {
    assert.equal(await ask(otaflux, `pump&current=${current}`), 200);
  }
  const { problems, devices, source, cache } = await statusOf(otaflux);
  assert.deepEqual(problems, []);
  assert.deepEqual([devices.total, devices.list[0]?.version], [1, "1.2.3"]);
  assert.deepEqual(devices.list[0]?.reportedVersions, [
    { version: "1.2.3", polls: 2 },
    { version: "1.2.2", polls: 1 },
  ]);
  assert.deepEqual([source.kind, source.name, source.isUp], ["registry", registry.origin, true]);
  assert.deepEqual([cache.kind, cache.bytes], ["memory", 314_159]);
  assert.match(await pageOf(otaflux), />pump<[^]*>1\.2\.3<[^]*>307 KiB</);

  const fault = registry.fault({ match: {}, respond: faults.status(503) });
  const { next } = await otaflux.logged("Registry does not answer");
  assert.equal(next, "The registry is overloaded or fails: look at its log, and try again later");
  const away = await statusOf(otaflux);
  assert.deepEqual(away.problems.map(({ code }) => code), ["source-away"]);
  assert.match(away.source.failure?.reason ?? "", /503/);
  const page = await pageOf(otaflux);
  assert.match(page, /The registry does not answer/);
  assert.ok(page.includes(`${next}.`));
  assert.ok(!page.includes(PASSWORD) && !JSON.stringify(away).includes(PASSWORD));
  assert.equal(await ask(otaflux, "pump"), 200);

  fault[Symbol.dispose]();
  await otaflux.logged("Registry answers again");
  assert.equal((await statusOf(otaflux)).source.isUp, true);
});

Deno.test("devices cannot reach the page", async () => {
  await using otaflux = await Otaflux.start({ args: ["--layout-dir", "/"] });
  for (const path of ["/", "/api/status"]) {
    const response = await fetch(`${otaflux.origin}${path}`);
    await response.body?.cancel();
    assert.equal(response.status, 404, path);
  }
});

Deno.test("the page tells of a broker that cannot be reached", async () => {
  await using otaflux = await Otaflux.start({
    args: ["--layout-dir", "/", "--mqtt-url", `mqtt://127.0.0.1:${freePort()}`],
  });
  await otaflux.logged("MQTT broker cannot be reached");
  const { problems, broker } = await statusOf(otaflux);
  assert.deepEqual(broker, { isConnected: false, pending: 0 });
  const [problem, ...others] = problems;
  assert.deepEqual(others, []);
  assert.equal(problem?.code, "broker-away");
  assert.match(problem?.reason ?? "", /^connect ECONNREFUSED /);
  assert.match(problem?.next ?? "", /^Nobody listens there: see that the broker runs, and that /);
});
