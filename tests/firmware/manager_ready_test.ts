import assert from "node:assert/strict";
import { ServiceError } from "../../src/errors.ts";
import { PAUSES } from "../../src/firmware/pauses.ts";
import { orasArtifact } from "../helpers/artifacts.ts";
import { ManagerBench } from "../helpers/fake_source.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { Gate } from "../helpers/registry/gate.ts";

const DEVICE = "esp32";
const AWAY = new ServiceError("source-unavailable", "Away");

/** A manager whose source was found silent. */
async function silent(bench = new ManagerBench(DEVICE)): Promise<ManagerBench> {
  bench.source.failure = AWAY;
  await assert.rejects(bench.manager.refresh("other"), AWAY);
  bench.source.forgetCalls();
  return bench;
}

Deno.test("FirmwareManager.isReady() trusts a source of which nothing bad is known", () => {
  const { manager, source } = new ManagerBench(DEVICE);
  assert.equal(manager.isReady(), true);
  assert.deepEqual(source.calls, []);
});

Deno.test("FirmwareManager.isReady() says no where the source is silent and nothing is kept", async () => {
  const { manager, source } = await silent();
  assert.equal(manager.isReady(), false);
  assert.deepEqual(source.calls, [], "it has its pause");
});

Deno.test("FirmwareManager.isReady() says yes where something is kept", async () => {
  const bench = new ManagerBench(DEVICE);
  bench.source.push(DEVICE, "1.0.0", orasArtifact(firmwareBytes(10, 1)));
  await bench.get();
  const { manager } = await silent(bench);
  assert.equal(manager.isReady(), true);
});

Deno.test("FirmwareManager.isReady() finds out by itself that the source is back", async () => {
  const bench = await silent();
  bench.nowMs += PAUSES.longestMs;
  bench.source.failure = undefined;
  bench.source.gate = new Gate();
  assert.equal(bench.manager.isReady(), false, "nobody waits for it");
  assert.equal(bench.manager.isReady(), false);
  assert.deepEqual(bench.source.calls, ["ping"], "one at a time");
  const isUp = Promise.withResolvers<void>();
  bench.observed.sourceUp = (): void => isUp.resolve();
  bench.source.gate.open();
  await isUp.promise;
  assert.equal(bench.manager.isReady(), true);
});
