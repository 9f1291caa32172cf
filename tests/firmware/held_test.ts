import assert from "node:assert/strict";
import type { Firmware } from "../../src/firmware/firmware.ts";
import { HeldFirmware } from "../../src/firmware/held.ts";
import type { Digest } from "../../src/digest.ts";

const HOLD_MS = 60_000;

function firmwareOf(digit: number): Firmware {
  const digest: Digest = `sha256:${String(digit).repeat(64)}`;
  const version = `${digit}.0.0`;
  return {
    ...{ tag: version, version, digest, size: 0, crc32: 0, sha256: "", md5: "" },
    ...{ modifiedAt: new Date(0), annotations: {}, files: [] },
  };
}

const [one, two] = [firmwareOf(1), firmwareOf(2)];

Deno.test("HeldFirmware.find() finds by device and digest", () => {
  const held = new HeldFirmware(HOLD_MS);
  held.add("a", one, 0);
  held.add("b", two, 0);
  assert.equal(held.find("a", one.digest), one);
  assert.equal(held.find("b", two.digest), two);
  assert.equal(held.find("a", two.digest), undefined);
  assert.equal(held.find("b", one.digest), undefined);
});

Deno.test("HeldFirmware.expire() lets go of what was held long enough, and of nothing else", () => {
  const held = new HeldFirmware(HOLD_MS);
  held.add("a", one, 1000);
  held.add("a", two, 2000);
  held.expire(1000 + HOLD_MS - 1);
  assert.equal(held.find("a", one.digest), one);
  held.expire(1000 + HOLD_MS);
  assert.equal(held.find("a", one.digest), undefined);
  assert.equal(held.find("a", two.digest), two);
  held.expire(2000 + HOLD_MS);
  assert.equal(held.find("a", two.digest), undefined);
});

Deno.test("HeldFirmware.expire() lets go of all where all are over", () => {
  const held = new HeldFirmware(HOLD_MS);
  held.expire(0);
  for (const device of ["a", "b", "c"]) held.add(device, one, 0);
  held.expire(HOLD_MS * 2);
  for (const device of ["a", "b", "c"]) assert.equal(held.find(device, one.digest), undefined);
});

Deno.test("HeldFirmware.find() finds what was held again after it had expired", () => {
  const held = new HeldFirmware(HOLD_MS);
  held.add("a", one, 0);
  held.add("a", one, HOLD_MS / 2);
  held.expire(HOLD_MS);
  assert.equal(held.find("a", one.digest), one);
});
