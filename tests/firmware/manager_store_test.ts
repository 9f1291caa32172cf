import assert from "node:assert/strict";
import { ServiceError } from "../../src/errors.ts";
import type { FirmwareStore } from "../../src/firmware/firmware.ts";
import { DiskStore } from "../../src/store/disk.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { dockerImage, orasArtifact } from "../helpers/artifacts.ts";
import { filesOf, withFolder } from "../helpers/disk.ts";
import { ManagerBench } from "../helpers/fake_source.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { digestOf } from "../helpers/manifest.ts";

const DEVICE = "esp32";
const outage = new ServiceError("source-unavailable", "Registry is away");
const one = firmwareBytes(1000, 1);
const two = firmwareBytes(1000, 2);

function bench(store: FirmwareStore, bytes = one): ManagerBench {
  const subject = new ManagerBench(DEVICE, { store });
  subject.source.push(DEVICE, "1.0.0", orasArtifact(bytes));
  return subject;
}

/** A manager that begins with what another one has left in a folder, while the source is away. */
async function afterRestart(directory: string): Promise<Uint8Array> {
  using store = await DiskStore.open({ directory, maxBytes: 100_000 });
  const subject = new ManagerBench(DEVICE, { store });
  subject.source.failure = outage;
  return await subject.bytes(await subject.ask());
}

Deno.test("FirmwareManager serves what another one has left, without its source", () =>
  withFolder(async (directory) => {
    {
      using store = await DiskStore.open({ directory, maxBytes: 100_000 });
      await bench(store).get();
    }
    assert.deepEqual(await afterRestart(directory), one);
  }));

Deno.test("What loses its place in memory while it waits to be checked is held, and not fetched again", () =>
  withFolder(async (directory) => {
    using store = await DiskStore.open({ directory, maxBytes: 100_000 });
    const subject = new ManagerBench(DEVICE, { store, cacheSize: 1, concurrency: 1 });
    const devices = [DEVICE, "stm32", "linux"];
    for (const device of devices) subject.source.push(device, "1.0.0", orasArtifact(one));
    for (const device of devices) await subject.manager.get(device);
    subject.source.forgetCalls();
    await Promise.all(devices.map((device) => subject.manager.refresh(device)));
    assert.equal(subject.source.calls.includes("openBlob"), false, "all are there still");
    const told = await subject.get();
    for (const device of devices) subject.source.push(device, "2.0.0", orasArtifact(two));
    subject.source.deleteManifest(told.digest);
    await Promise.all(devices.map((device) => subject.manager.refresh(device)));
    assert.equal((await subject.manager.getAnnounced(DEVICE, told)).version, "1.0.0");
  }));

Deno.test("FirmwareManager checks in the background, too, what has lost its place in memory", () =>
  withFolder(async (directory) => {
    using store = await DiskStore.open({ directory, maxBytes: 100_000 });
    const found = Promise.withResolvers<string>();
    const subject = new ManagerBench(DEVICE, {
      ...{ store, cacheSize: 1, refreshIntervalMs: 40 },
      notifier: {
        announce: (device, { version }) => {
          if (version === "2.0.0") found.resolve(device);
          return Promise.resolve();
        },
      },
    });
    for (const device of [DEVICE, "stm32"]) {
      subject.source.push(device, "1.0.0", orasArtifact(one));
      await subject.manager.get(device);
    }
    subject.source.push(DEVICE, "2.0.0", orasArtifact(two));
    subject.nowMs += 40;
    subject.manager.start();
    assert.equal(await found.promise, DEVICE);
    subject.manager.stop();
    for (const device of [DEVICE, "stm32"]) await subject.manager.settled(device);
  }));

Deno.test("FirmwareManager fetches again what was changed on disk, and writes it down again", () =>
  withFolder(async (directory) => {
    {
      using store = await DiskStore.open({ directory, maxBytes: 100_000 });
      const subject = bench(store);
      const firmware = await subject.get();
      await Deno.writeFile(`${directory}/${DEVICE}/blobs/sha256/${firmware.sha256}`, two.slice(1));
      assert.deepEqual(await subject.bytes(firmware), one);
    }
    assert.deepEqual(await afterRestart(directory), one);
  }));

Deno.test("FirmwareManager forgets on disk what is gone from the source", () =>
  withFolder(async (directory) => {
    using store = await DiskStore.open({ directory, maxBytes: 100_000 });
    const subject = bench(store);
    await subject.get();
    subject.source.deleteRepository(DEVICE);
    subject.expire();
    await subject.ask();
    assert.equal(await store.load(DEVICE), undefined);
  }));

Deno.test("FirmwareManager keeps an image's layer beside its file, and the inline config", () =>
  withFolder(async (directory) => {
    using store = await DiskStore.open({ directory, maxBytes: 100_000 });
    const subject = bench(store);
    const image = await dockerImage({ "firmware.bin": two });
    subject.source.push(DEVICE, "2.0.0", image);
    const firmware = await subject.get();
    assert.deepEqual(await subject.bytes(firmware), two);
    const files = await filesOf(`${directory}/${DEVICE}/blobs/sha256`);
    const { layers: [layer] } = JSON.parse(new TextDecoder().decode(image.manifest));
    const wanted = [layer.digest, image.digest, digestOf(two)].map((digest) => digest.slice(7));
    assert.deepEqual(files, wanted.toSorted());
    subject.source.push(DEVICE, "3.0.0", orasArtifact(one));
    subject.expire();
    await subject.ask();
    const config = digestOf(new TextEncoder().encode("{}")).slice(7);
    assert((await filesOf(`${directory}/${DEVICE}/blobs/sha256`)).includes(config));
  }));

Deno.test("FirmwareManager fetches for a new tag what had to go from the disk", () =>
  withFolder(async (directory) => {
    using store = await DiskStore.open({ directory, maxBytes: 1500 });
    const subject = bench(store);
    await subject.get();
    subject.source.push("other", "1.0.0", orasArtifact(two));
    await subject.manager.get("other");
    subject.source.push(DEVICE, "1.0.1", orasArtifact(one));
    subject.expire();
    await subject.ask();
    const renamed = await subject.get();
    assert.equal(renamed.version, "1.0.1");
    assert.deepEqual(await subject.bytes(renamed), one);
    assert.equal((await store.load(DEVICE))?.firmware.version, "1.0.1");
  }));

for (const method of ["draft", "save"] as const) {
  Deno.test(`FirmwareManager goes on with what it has where ${method}() finds the disk full`, async () => {
    const store = new MemoryStore({ maxBytes: 10_000 });
    const subject = bench(store);
    const first = await subject.get();
    subject.source.push(DEVICE, "2.0.0", orasArtifact(two));
    subject.expire();
    const full = new ServiceError("storage-failed", "Firmware cannot be stored");
    Object.assign(store, { [method]: () => Promise.reject(full) });
    await subject.ask();
    const kept = await subject.get();
    assert.equal(kept, first);
    assert.deepEqual(await subject.bytes(kept), one);
    assert.deepEqual(subject.observed.states, [true], "the source is not to blame");
    subject.source.push("cold", "1.0.0", orasArtifact(two));
    await assert.rejects(subject.manager.get("cold"), full);
  });
}

Deno.test("FirmwareManager.refresh() forgets on disk what is gone, although nobody has asked since the start", () =>
  withFolder(async (directory) => {
    {
      using store = await DiskStore.open({ directory, maxBytes: 100_000 });
      await bench(store).get();
    }
    using store = await DiskStore.open({ directory, maxBytes: 100_000 });
    const subject = new ManagerBench(DEVICE, { store });
    await assert.rejects(subject.manager.refresh(DEVICE), { code: "firmware-unknown" });
    await assert.rejects(subject.get(), { code: "firmware-unknown" });
    assert.equal(await store.load(DEVICE), undefined);
  }));
