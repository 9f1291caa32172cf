import assert from "node:assert/strict";
import { ServiceError } from "../../src/errors.ts";
import { PAUSES } from "../../src/firmware/pauses.ts";
import type { DeviceStatus } from "../../src/firmware/status.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { orasArtifact } from "../helpers/artifacts.ts";
import { FakeVerifier } from "../helpers/fake_verifier.ts";
import { ManagerBench, UNKNOWN_MS } from "../helpers/fake_source.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";

const DEVICE = "esp32";
const REFUSAL = new ServiceError("source-refused", "No", { cause: "registry answered 403" });
const AWAY = new ServiceError("source-unavailable", "Away");

/** With a random of 0.5, which is three quarters of the full second. */
const FIRST_PAUSE_MS = 750;

/** A manager whose device was asked for once. */
async function asked(bench = new ManagerBench(DEVICE)): Promise<ManagerBench> {
  bench.source.push(DEVICE, "1.0.0", orasArtifact(firmwareBytes(10, 1)));
  await bench.get();
  return bench;
}

function devicesOf({ manager }: ManagerBench): readonly DeviceStatus[] {
  return [...manager.overview.status().devices];
}

/** The one device that is known. */
function deviceOf(bench: ManagerBench): DeviceStatus {
  const [device, ...others] = devicesOf(bench);
  assert.deepEqual(others, []);
  assert.ok(device);
  return device;
}

Deno.test("FirmwareOverview.status() knows nothing at the start", () => {
  const { devices, ...status } = new ManagerBench(DEVICE).manager.overview.status();
  assert.deepEqual([...devices], []);
  assert.deepEqual(status, {
    silence: undefined,
    places: { taken: 0, limit: 10 },
    tracked: 0,
    fetchedAgain: { count: 0, lastAgoMs: undefined },
  });
});

Deno.test("FirmwareOverview.status() tells since when a firmware is a device's, and when it was confirmed", async () => {
  const bench = await asked();
  const firmware = await bench.get();
  bench.expire();
  await bench.ask();
  bench.nowMs += 5000;
  assert.deepEqual(deviceOf(bench), {
    device: DEVICE,
    firmware,
    servedForMs: 65_000,
    confirmedAgoMs: 5000,
    failure: undefined,
    signature: undefined,
  });
  bench.source.push(DEVICE, "1.1.0", orasArtifact(firmwareBytes(10, 2)));
  await bench.manager.refresh(DEVICE);
  const { firmware: newest, servedForMs } = deviceOf(bench);
  assert.deepEqual([newest?.version, servedForMs], ["1.1.0", 0]);
  const { places, tracked } = bench.manager.overview.status();
  assert.deepEqual([places.taken, tracked], [1, 1]);
});

Deno.test("FirmwareOverview.status() tells what hinders the checks of a device, until one succeeds", async () => {
  const bench = await asked();
  bench.expire();
  bench.source.failure = REFUSAL;
  await bench.ask();
  bench.nowMs += 100;
  assert.deepEqual(deviceOf(bench).failure, {
    code: "source-refused",
    reason: "No: registry answered 403",
    agoMs: 100,
    retryInMs: FIRST_PAUSE_MS - 100,
  });
  bench.nowMs += FIRST_PAUSE_MS;
  assert.equal(deviceOf(bench).failure?.retryInMs, 0);
  bench.source.failure = undefined;
  await bench.ask();
  assert.equal(deviceOf(bench).failure, undefined);
});

Deno.test("FirmwareOverview.status() calls an error that is none of the service's unexpected", async () => {
  const bench = await asked();
  bench.source.failure = new TypeError("x is not a function");
  await assert.rejects(bench.manager.refresh(DEVICE));
  const { failure } = deviceOf(bench);
  assert.deepEqual([failure?.code, failure?.reason], ["unexpected", "x is not a function"]);
});

Deno.test("FirmwareOverview.status() lists a device whose first check fails, as long as somebody asks", async () => {
  const bench = new ManagerBench(DEVICE);
  bench.source.failure = REFUSAL;
  await assert.rejects(bench.get(), REFUSAL);
  bench.nowMs += 100;
  const { firmware, failure } = deviceOf(bench);
  assert.equal(firmware, undefined);
  assert.deepEqual(failure, {
    code: "source-refused",
    reason: "No: registry answered 403",
    agoMs: 100,
    retryInMs: FIRST_PAUSE_MS - 100,
  });
  bench.nowMs += FIRST_PAUSE_MS - 100 + PAUSES.longestMs - 1;
  assert.equal(devicesOf(bench).length, 1);
  bench.nowMs += 1;
  assert.deepEqual(devicesOf(bench), []);
});

Deno.test("FirmwareOverview.status() lists no device that somebody may have invented", async () => {
  const bench = new ManagerBench(DEVICE);
  await assert.rejects(bench.get(), { code: "firmware-unknown" });
  assert.deepEqual(devicesOf(bench), []);
  bench.nowMs += UNKNOWN_MS;
  bench.source.failure = AWAY;
  await assert.rejects(bench.get(), AWAY);
  assert.deepEqual(devicesOf(bench), []);
});

Deno.test("FirmwareOverview.status() lists a device once that has firmware after all", async () => {
  const bench = new ManagerBench(DEVICE);
  bench.source.failure = REFUSAL;
  await assert.rejects(bench.get(), REFUSAL);
  bench.source.failure = undefined;
  bench.nowMs += FIRST_PAUSE_MS;
  await asked(bench);
  assert.equal(deviceOf(bench).failure, undefined);
});

Deno.test("FirmwareOverview.status() tells for how long the source has been silent, and when it is asked again", async () => {
  const bench = await asked();
  bench.source.failure = AWAY;
  await assert.rejects(bench.manager.refresh("other"), AWAY);
  bench.nowMs += FIRST_PAUSE_MS;
  await assert.rejects(bench.manager.refresh("other"), AWAY);
  bench.nowMs += 200;
  assert.deepEqual(bench.manager.overview.status().silence, {
    code: "source-unavailable",
    reason: "Away",
    agoMs: FIRST_PAUSE_MS + 200,
    retryInMs: 2 * FIRST_PAUSE_MS - 200,
  });
  assert.equal(deviceOf(bench).failure, undefined, "it was not checked");
  bench.source.failure = undefined;
  bench.nowMs += 2 * FIRST_PAUSE_MS;
  await bench.manager.refresh(DEVICE);
  assert.equal(bench.manager.overview.status().silence, undefined);
});

Deno.test("FirmwareOverview.status() counts what had to be fetched again", async () => {
  const bench = await asked(
    new ManagerBench(DEVICE, { store: new MemoryStore({ maxBytes: 15 }) }),
  );
  const firmware = await bench.get();
  bench.source.push("other", "1.0.0", orasArtifact(firmwareBytes(10, 2)));
  await bench.manager.get("other");
  (await bench.manager.open(DEVICE, firmware)).close();
  bench.nowMs += 300;
  assert.deepEqual(bench.manager.overview.status().fetchedAgain, { count: 1, lastAgoMs: 300 });
});

Deno.test("FirmwareOverview.status() calls a signature valid where one is asked for, and tells a missing one", async () => {
  const [one, two] = [1, 2].map((seed) => orasArtifact(firmwareBytes(10, seed)));
  assert.ok(one && two);
  const bench = new ManagerBench(DEVICE, { verifier: new FakeVerifier().sign(one.digest) });
  bench.source.push(DEVICE, "1.0.0", one);
  await bench.get();
  assert.equal(deviceOf(bench).signature, "valid");
  bench.source.push(DEVICE, "1.1.0", two);
  await assert.rejects(bench.manager.refresh(DEVICE), { code: "signature-invalid" });
  const { firmware, signature, failure } = deviceOf(bench);
  assert.deepEqual([firmware?.version, signature, failure?.code], [
    "1.0.0",
    "valid",
    "signature-invalid",
  ]);
});
