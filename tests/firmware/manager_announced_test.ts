import assert from "node:assert/strict";
import { ServiceError } from "../../src/errors.ts";
import { orasArtifact } from "../helpers/artifacts.ts";
import { HOLD_MS, ManagerBench } from "../helpers/fake_source.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { digestOf, manifestOf } from "../helpers/manifest.ts";

const DEVICE = "esp32";
const outage = new ServiceError("source-unavailable", "Registry is away");
const one = orasArtifact(firmwareBytes(100, 1));
const two = orasArtifact(firmwareBytes(100, 2));

/** A bench whose source holds 1.0.0 of one device. */
function bench(): ManagerBench {
  const subject = new ManagerBench(DEVICE);
  subject.source.push(DEVICE, "1.0.0", one);
  return subject;
}

Deno.test("FirmwareManager.getAnnounced() is the newest where that was announced", async () => {
  const subject = bench();
  const announced = await subject.get();
  subject.source.forgetCalls();
  assert.equal(await subject.manager.getAnnounced(DEVICE, announced), announced);
  assert.deepEqual(subject.source.calls, []);
});

Deno.test("FirmwareManager.getAnnounced() holds what was replaced", async () => {
  const subject = bench();
  const announced = await subject.get();
  subject.source.push(DEVICE, "2.0.0", two);
  subject.source.deleteManifest(one.digest);
  subject.expire();
  // The very call that finds out of the newer one: it must not deliver it.
  assert.equal(await subject.manager.getAnnounced(DEVICE, announced), announced);
  await subject.manager.settled(DEVICE);
  assert.equal((await subject.get()).version, "2.0.0");
  assert.equal(await subject.manager.getAnnounced(DEVICE, announced), announced);
});

Deno.test("FirmwareManager.getAnnounced() holds what was replaced under its own tag", async () => {
  const subject = bench();
  const announced = await subject.get();
  subject.source.push(DEVICE, "1.0.0", two);
  subject.expire();
  await subject.ask();
  assert.equal((await subject.get()).digest, two.digest);
  subject.source.forgetCalls();
  assert.equal(await subject.manager.getAnnounced(DEVICE, announced), announced);
  assert.deepEqual(subject.source.calls, []);
});

Deno.test("FirmwareManager.getAnnounced() fetches by digest what is held no longer", async () => {
  const subject = bench();
  const announced = await subject.get();
  subject.source.push(DEVICE, "1.0.0", two);
  subject.expire();
  await subject.ask();
  subject.nowMs += HOLD_MS;
  await subject.ask();
  subject.source.forgetCalls();
  const again = await subject.manager.getAnnounced(DEVICE, announced);
  assert.deepEqual(again, announced);
  assert.notEqual(again, announced, "it was not in memory any more");
  assert.deepEqual(subject.source.calls, ["fetchManifest", "openBlob"]);
  subject.source.forgetCalls();
  assert.equal(await subject.manager.getAnnounced(DEVICE, announced), again);
  assert.deepEqual(subject.source.calls, [], "it is held again");
});

Deno.test("FirmwareManager.getAnnounced() fetches once for a crowd", async () => {
  const subject = bench();
  const announced = await subject.get();
  // A manager that was restarted has nothing in memory.
  const fresh = bench();
  fresh.source.push(DEVICE, "1.0.0", two);
  await fresh.get();
  fresh.source.forgetCalls();
  const crowd = Array.from(
    { length: 50 },
    () => fresh.manager.getAnnounced(DEVICE, announced),
  );
  for (const { digest } of await Promise.all(crowd)) assert.equal(digest, one.digest);
  assert.deepEqual(fresh.source.calls, ["fetchManifest", "openBlob"]);
});

Deno.test("FirmwareManager.getAnnounced() says that it is gone where nobody has it", async () => {
  const subject = bench();
  const announced = await subject.get();
  subject.source.push(DEVICE, "1.0.0", two);
  subject.source.deleteManifest(one.digest);
  subject.expire();
  await subject.ask();
  subject.nowMs += HOLD_MS;
  await assert.rejects(subject.manager.getAnnounced(DEVICE, announced), {
    code: "firmware-gone",
    message: `Firmware 1.0.0 of device '${DEVICE}' is no longer there, ask for the version`,
  });
  assert.equal((await subject.get()).digest, two.digest, "the newest can be had still");
});

Deno.test("FirmwareManager.getAnnounced() serves what is held although the repository is gone", async () => {
  const subject = bench();
  const announced = await subject.get();
  subject.source.deleteRepository(DEVICE);
  subject.source.deleteManifest(one.digest);
  subject.expire();
  await subject.ask();
  assert.equal(await subject.manager.getAnnounced(DEVICE, announced), announced);
  subject.nowMs += HOLD_MS;
  await assert.rejects(subject.manager.getAnnounced(DEVICE, announced), {
    code: "firmware-gone",
  });
});

Deno.test("FirmwareManager.getAnnounced() serves what is held although the check fails", async () => {
  const subject = bench();
  const announced = await subject.get();
  subject.source.push(DEVICE, "2.0.0", two);
  subject.expire();
  await subject.ask();
  const newest = await subject.get();
  subject.source.failure = outage;
  subject.expire();
  assert.equal(await subject.manager.getAnnounced(DEVICE, announced), announced);
  await subject.manager.settled(DEVICE);
  subject.source.forgetCalls();
  assert.equal(await subject.manager.getAnnounced(DEVICE, announced), announced);
  assert.equal(await subject.manager.getAnnounced(DEVICE, newest), newest);
});

Deno.test("FirmwareManager.getAnnounced() fetches by digest although the newest is broken", async () => {
  const announced = await bench().get();
  const subject = bench();
  const digest = digestOf(firmwareBytes(4));
  const broken = manifestOf({
    layers: [{ mediaType: "a/b", bytes: firmwareBytes(4, 9), claim: { digest } }],
  });
  subject.source.push(DEVICE, "2.0.0", broken);
  await assert.rejects(subject.get(), { code: "artifact-invalid" });
  assert.deepEqual(await subject.manager.getAnnounced(DEVICE, announced), announced);
});

Deno.test("FirmwareManager.getAnnounced() does not call an outage gone, and recovers", async () => {
  const announced = await bench().get();
  const subject = bench();
  subject.source.failure = outage;
  await assert.rejects(subject.manager.getAnnounced(DEVICE, announced), {
    code: "source-unavailable",
  });
  subject.source.failure = undefined;
  subject.nowMs += 1000;
  assert.deepEqual(await subject.manager.getAnnounced(DEVICE, announced), announced);
});

Deno.test("FirmwareManager.getAnnounced() keeps the devices' firmware apart", async () => {
  const subject = bench();
  subject.source.push("esp8266", "1.0.0", two);
  const [own, other] = [await subject.get(), await subject.manager.get("esp8266")];
  for (const [device, firmware] of [[DEVICE, own], ["esp8266", other]] as const) {
    subject.source.push(device, "2.0.0", orasArtifact(firmwareBytes(100, 7)));
    subject.expire();
    await subject.manager.refresh(device);
    assert.equal(await subject.manager.getAnnounced(device, firmware), firmware);
  }
});
