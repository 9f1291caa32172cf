import assert from "node:assert/strict";
import { orasArtifact } from "../helpers/artifacts.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { manifestOf } from "../helpers/manifest.ts";
import { Otaflux } from "../helpers/otaflux.ts";

const FIRMWARE = firmwareBytes(100_000, 4);

Deno.test("two thousand requests for a cold device cost the registry what one costs", async () => {
  await using registry = new FakeRegistry({
    auth: { mode: "bearer", credentials: { username: "u", password: "p" } },
  });
  registry.push("pump", "1.0.0", orasArtifact(FIRMWARE));
  const gate = registry.gate({ kind: "tags" });
  await using otaflux = await Otaflux.start({
    args: [
      ...["--registry-url", registry.origin, "--registry-username", "u"],
      // Who is asked for is checked at a moment of the interval that is drawn.
      ...["--max-downloads", "2000", "--refresh-interval", "24h"],
    ],
    env: { REGISTRY_PASSWORD: "p" },
  });
  const crowd = Array.from({ length: 2000 }, async () => {
    const response = await fetch(`${otaflux.origin}/firmware?device=pump`);
    return await response.bytes();
  });
  await gate.arrived(1);
  // What was sent before is in the service when this is answered.
  await (await fetch(`${otaflux.origin}/health`)).body?.cancel();
  gate.open();
  for (const bytes of await Promise.all(crowd)) assert.deepEqual(bytes, FIRMWARE);
  const answered = registry.requests.filter(({ authorization }) => authorization !== undefined);
  assert.deepEqual(answered.map(({ kind }) => kind).sort(), ["blob", "manifest", "tags", "token"]);

  registry.forgetRequests();
  for (let i = 0; i < 20; i++) {
    await (await fetch(`${otaflux.origin}/version?device=pump`)).body?.cancel();
  }
  assert.deepEqual(registry.requests, []);
});

Deno.test("after the refresh interval one check serves the crowd, and fetches no blob again", async () => {
  await using registry = new FakeRegistry();
  registry.push("pump", "1.0.0", orasArtifact(FIRMWARE));
  await using otaflux = await Otaflux.start({
    args: ["--registry-url", registry.origin, "--refresh-interval", "0"],
  });
  await (await fetch(`${otaflux.origin}/firmware?device=pump`)).body?.cancel();
  registry.forgetRequests();
  const gate = registry.gate({ kind: "tags" });
  const ask = async (): Promise<string> =>
    await (await fetch(`${otaflux.origin}/version?device=pump`)).text();
  const first = ask();
  await gate.arrived(1);
  const others = Array.from({ length: 50 }, ask);
  // All are in the service before the registry answers: /health passes the same queue after them.
  await (await fetch(`${otaflux.origin}/health`)).body?.cancel();
  gate.open();
  await Promise.all([first, ...others]);
  assert.equal(registry.count({ kind: "blob" }), 0);
  assert.equal(registry.count({ kind: "manifest", method: "GET" }), 0);
  assert.ok(registry.count({ kind: "tags" }) <= 3, JSON.stringify(registry.requests));
  assert.equal(
    registry.count({ kind: "tags" }),
    registry.count({ kind: "manifest", method: "HEAD" }),
  );
});

Deno.test("larger firmware than allowed is refused before it is downloaded", async () => {
  await using registry = new FakeRegistry();
  const claim = { size: 300 * 1024 * 1024 };
  registry.push(
    "huge",
    "1.0.0",
    manifestOf({ layers: [{ mediaType: "application/octet-stream", bytes: FIRMWARE, claim }] }),
  );
  await using otaflux = await Otaflux.start({ args: ["--registry-url", registry.origin] });
  const response = await fetch(`${otaflux.origin}/firmware?device=huge`);
  assert.equal(response.status, 502);
  assert.match(await response.text(), /has 314572800 bytes, want 268435456 at most/);
  assert.equal(registry.count({ kind: "blob" }), 0);
});
