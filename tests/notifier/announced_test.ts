import assert from "node:assert/strict";
import { Announced } from "../../src/notifier/announced.ts";
import type { AnnouncedFirmware } from "../../src/notifier/message.ts";
import { recordOf } from "../helpers/disk.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";

const [V1, V2] = ["1.0.0", "1.1.0"].map((version, index) =>
  recordOf(firmwareBytes(100, index), version).firmware
) as unknown as readonly [AnnouncedFirmware, AnnouncedFirmware];

Deno.test("Announced knows again what it was told last, of that device", () => {
  const announced = new Announced(() => 0);
  const told = [["pump", V1], ["pump", V1], ["lamp", V1], ["pump", V2], ["pump", V1]] as const;
  const known = told.map(([device, firmware]) => announced.learn(device, firmware));
  assert.deepEqual(known, [false, true, false, false, false]);
});

Deno.test("Announced.missing() is what was told, and the broker does not have", () => {
  const announced = new Announced(() => 0);
  for (const device of ["pump", "lamp", "valve"]) announced.learn(device, V1);
  announced.heard("pump", V2);
  announced.heard("lamp", V1);
  announced.heard("lamp", undefined);
  const missing = (): readonly string[] =>
    [...announced.missing()].map(([device]) => device).sort();
  assert.deepEqual(missing(), ["lamp", "valve"]);
  announced.forgetBroker();
  assert.equal(announced.atBroker("pump"), undefined);
  assert.deepEqual(missing(), ["lamp", "pump", "valve"]);
});

Deno.test("Announced.isOthers() tells another firmware from ours, not where we know of none", () => {
  const announced = new Announced(() => 0);
  const { version, digest } = V1;
  assert(!announced.isOthers("pump", V2));
  announced.learn("pump", V1);
  assert(announced.isOthers("pump", V2));
  assert(announced.isOthers("pump", { version, digest: V2.digest }));
  assert(!announced.isOthers("pump", { version, digest }));
  assert(!announced.isOthers("pump", { version }), "the Rust OtaFlux says no digest");
});

Deno.test("Announced.isJustSent() holds for two seconds, of that firmware", () => {
  let nowMs = 1000;
  const announced = new Announced(() => nowMs);
  assert(!announced.isJustSent("pump", V1));
  announced.sending("pump", V1);
  nowMs += 1999;
  assert(announced.isJustSent("pump", V1));
  assert(!announced.isJustSent("pump", V2));
  nowMs++;
  assert(!announced.isJustSent("pump", V1));
});
