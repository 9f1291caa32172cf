import assert from "node:assert/strict";
import type { AnnounceOptions, Firmware } from "../../src/firmware/firmware.ts";
import { DiskStore } from "../../src/store/disk.ts";
import { orasArtifact } from "../helpers/artifacts.ts";
import { withFolder } from "../helpers/disk.ts";
import { ManagerBench } from "../helpers/fake_source.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";

const DEVICE = "esp32";
const one = orasArtifact(firmwareBytes(100, 1));
const two = orasArtifact(firmwareBytes(100, 2));

/** What a manager tells. */
class Told {
  readonly told: (readonly [version: string, size: number, options?: AnnounceOptions])[] = [];

  announce(device: string, { version, size }: Firmware, options?: AnnounceOptions): Promise<void> {
    assert.equal(device, DEVICE);
    this.told.push(options === undefined ? [version, size] : [version, size, options]);
    return Promise.resolve();
  }
}

Deno.test("FirmwareManager tells of each change once, whoever asked", async () => {
  const notifier = new Told();
  const bench = new ManagerBench(DEVICE, { notifier });
  bench.source.push(DEVICE, "1.0.0", one);
  await bench.ask();
  bench.expire();
  await bench.ask();
  bench.source.push(DEVICE, "1.1.0", two);
  bench.expire();
  await bench.ask();
  await bench.manager.refresh(DEVICE);
  bench.source.deleteTag(DEVICE, "1.1.0");
  await bench.manager.refresh(DEVICE);
  assert.deepEqual(notifier.told.map(([version]) => version), ["1.0.0", "1.1.0", "1.0.0"]);
});

Deno.test("FirmwareManager tells of a higher version with the same bytes", async () => {
  const notifier = new Told();
  const bench = new ManagerBench(DEVICE, { notifier });
  bench.source.push(DEVICE, "1.0.0", one);
  await bench.get();
  bench.source.push(DEVICE, "1.1.0", one);
  await bench.manager.refresh(DEVICE);
  assert.deepEqual(notifier.told.map(([version]) => version), ["1.0.0", "1.1.0"]);
});

Deno.test("FirmwareManager tells nothing of what fails verification", async () => {
  const notifier = new Told();
  const bench = new ManagerBench(DEVICE, { notifier });
  bench.source.push(DEVICE, "1.0.0", one);
  await bench.get();
  const broken = {
    ...two,
    blobs: new Map([...two.blobs].map(([digest]) => [digest, firmwareBytes(100, 3)])),
  };
  bench.source.push(DEVICE, "1.1.0", broken);
  await assert.rejects(bench.manager.refresh(DEVICE));
  assert.deepEqual(notifier.told.map(([version]) => version), ["1.0.0"]);
});

Deno.test("FirmwareManager tells of what an earlier process has left, as not confirmed", () =>
  withFolder(async (directory) => {
    const notifiers = [];
    for (let start = 0; start < 2; start++) {
      using store = await DiskStore.open({ directory, maxBytes: 100_000 });
      const notifier = new Told();
      notifiers.push(notifier);
      const bench = new ManagerBench(DEVICE, { store, notifier });
      bench.source.push(DEVICE, "1.0.0", one);
      await bench.ask();
    }
    assert.deepEqual(notifiers.map(({ told }) => told), [
      [["1.0.0", 100]],
      [["1.0.0", 100, { isConfirmed: false }]],
    ]);
  }));

Deno.test("FirmwareManager tells of nothing that was asked for beside the newest", async () => {
  const notifier = new Told();
  const bench = new ManagerBench(DEVICE, { notifier });
  bench.source.push(DEVICE, "1.0.0", one);
  bench.source.push(DEVICE, "1.1.0", two);
  await bench.manager.get({ device: DEVICE, selection: { version: "1.0.0" } });
  assert.equal(notifier.told.length, 0);
  await bench.get();
  assert.deepEqual(notifier.told.map(([version]) => version), ["1.1.0"]);
});
