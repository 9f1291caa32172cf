import assert from "node:assert/strict";
import { orasArtifact } from "../helpers/artifacts.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { Otaflux } from "../helpers/otaflux.ts";

/** More than all buffers between the service and its reader take. */
const FIRMWARE = firmwareBytes(64 * 1024 * 1024, 1);

Deno.test("more downloads than --max-downloads are told when to come back, all else goes on", async () => {
  await using registry = new FakeRegistry();
  registry.push("pump", "1.0.0", orasArtifact(FIRMWARE));
  await using otaflux = await Otaflux.start({
    args: ["--registry-url", registry.origin, "--max-downloads", "2"],
  });
  const url = `${otaflux.origin}/firmware?device=pump`;
  const [first, second] = [await fetch(url), await fetch(url)];
  assert.deepEqual([first.status, second.status], [200, 200]);
  for (let i = 0; i < 20; i++) {
    const refused = await fetch(url);
    assert.equal(refused.status, 503);
    assert.equal(await refused.text(), "Too many downloads are under way, come back later\n\n");
    const seconds = Number(refused.headers.get("retry-after"));
    // With two of half a minute each and i + 1 waiting.
    assert.ok(Number.isInteger(seconds) && seconds >= 1 && seconds <= 15 * (i + 1), `${seconds}`);
  }
  const head = await fetch(url, { method: "HEAD" });
  assert.deepEqual([head.status, head.headers.get("content-length")], [200, `${FIRMWARE.length}`]);
  const version = await fetch(`${otaflux.origin}/version?device=pump`);
  assert.match(await version.text(), /^1\.0\.0\n/);
  const unknown = await fetch(`${otaflux.origin}/firmware?device=nobody`);
  assert.equal(unknown.status, 404);
  await unknown.body?.cancel();
  assert.match(await otaflux.metrics(), /^firmware_downloads_in_progress 2$/m);
  assert.match(await otaflux.metrics(), /^firmware_downloads_refused_total 20$/m);
  const warnings = otaflux.records
    .filter(({ level, message }) => level === "warn" && !message.startsWith("Webhooks"));
  assert.deepEqual(warnings.map(({ message, limit }) => [message, limit]), [
    ["Downloads are at their limit, others are sent away", 2],
  ]);

  assert.equal((await first.bytes()).length, FIRMWARE.length);
  const third = await fetch(url);
  assert.equal(third.status, 200);
  await third.body?.cancel();
  assert.equal((await second.bytes()).length, FIRMWARE.length);
  // The place of who left is free once the service has noticed.
  while (!/^firmware_downloads_in_progress 0$/m.test(await otaflux.metrics())) { /* asks again */ }
});
