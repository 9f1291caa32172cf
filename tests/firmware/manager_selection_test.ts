import assert from "node:assert/strict";
import { ServiceError } from "../../src/errors.ts";
import { NEW_SELECTIONS_LIMIT } from "../../src/firmware/allowance.ts";
import { SELECTIONS_LIMIT } from "../../src/firmware/cache.ts";
import { DowngradeGuard } from "../../src/firmware/downgrade.ts";
import type { FirmwareManagerOptions } from "../../src/firmware/manager.ts";
import type { Selection } from "../../src/selection.ts";
import { DiskStore } from "../../src/store/disk.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { VersionMemory } from "../../src/store/versions.ts";
import { imageIndex, orasArtifact } from "../helpers/artifacts.ts";
import { withFolder } from "../helpers/disk.ts";
import { ManagerBench, REFRESH_MS, UNKNOWN_MS } from "../helpers/fake_source.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { Gate } from "../helpers/registry/gate.ts";

const DEVICE = "esp32";
const FETCH = ["listTags", "fetchManifest", "openBlob"];
const outage = new ServiceError("source-unavailable", "Registry is away");

/** The firmware of each version. */
function bytesOf(version: string): Uint8Array<ArrayBuffer> {
  return firmwareBytes(100, Number(version.replaceAll(/\D/g, "")));
}

/** A device with several versions. */
class Bench extends ManagerBench {
  constructor(options: Partial<FirmwareManagerOptions> = {}) {
    super(DEVICE, options);
    for (const version of ["1.0.0", "1.1.0", "2.0.0"]) this.push(version);
  }

  push(version: string): void {
    this.source.push(DEVICE, version, orasArtifact(bytesOf(version)));
  }

  /** Which version a device gets that asks like this. */
  async version(selection: Selection = {}): Promise<string> {
    return (await this.manager.get({ device: DEVICE, selection })).version;
  }

  /** The same, once the check behind the answer has ended. */
  async askFor(selection: Selection): Promise<string> {
    const version = await this.version(selection);
    await this.manager.settled({ device: DEVICE, selection });
    return version;
  }
}

Deno.test("FirmwareManager.get() gives each selection its own firmware, at once when asked again", async () => {
  const bench = new Bench();
  assert.equal(await bench.version({ constraint: "^1" }), "1.1.0");
  assert.equal(await bench.version(), "2.0.0");
  assert.equal(await bench.version({ version: "1.0.0" }), "1.0.0");
  bench.source.forgetCalls();
  assert.equal(await bench.version({ constraint: "^1" }), "1.1.0");
  assert.equal(await bench.version(), "2.0.0");
  assert.equal(await bench.version({ version: "1.0.0" }), "1.0.0");
  assert.deepEqual(bench.source.calls, []);
  assert.deepEqual(bench.observed.hits, [DEVICE, DEVICE, DEVICE], "labels are device ids");
  assert.deepEqual([...new Set(bench.observed.misses)], [DEVICE]);
  assert.equal(bench.observed.entryCounts.at(-1), 1, "it is one device");
});

Deno.test("FirmwareManager.get() gives the bytes of the selection, and its age", async () => {
  const bench = new Bench();
  const query = { device: DEVICE, selection: { version: "1.0.0" } };
  const firmware = await bench.manager.get(query);
  bench.nowMs += 5000;
  assert.deepEqual(await bench.bytes(firmware), bytesOf("1.0.0"));
  assert.equal(bench.manager.ageSeconds(query, firmware), 5);
  assert.equal(bench.manager.ageSeconds(DEVICE, firmware), undefined);
});

Deno.test("FirmwareManager.get() says that nothing matches, and asks no more for a while", async () => {
  const bench = new Bench();
  const wanted = {
    code: "selection-unmatched",
    message: `No firmware for device '${DEVICE}' matches constraint '^3'`,
  };
  await assert.rejects(bench.version({ constraint: "^3" }), wanted);
  bench.source.forgetCalls();
  bench.push("3.0.0");
  bench.nowMs += UNKNOWN_MS - 1;
  await assert.rejects(bench.version({ constraint: "^3" }), wanted);
  assert.deepEqual(bench.source.calls, []);
  bench.nowMs += 1;
  assert.equal(await bench.version({ constraint: "^3" }), "3.0.0");
});

Deno.test("Selections of one device share a tag list, and a firmware that is the same", async () => {
  const bench = new Bench();
  await bench.version({ constraint: "^2" });
  bench.source.forgetCalls();
  assert.equal(await bench.version({ constraint: ">=2" }), "2.0.0");
  assert.deepEqual(bench.source.calls, ["fetchManifest"]);
  await assert.rejects(bench.version({ version: "7.0.0" }), { code: "selection-unmatched" });
  await assert.rejects(bench.version({ channel: "beta", constraint: "^7" }));
  assert.deepEqual(bench.source.calls, ["fetchManifest"]);
});

Deno.test("Checks of one device's selections at one time share a tag list", async () => {
  const bench = new Bench();
  const selections = [{}, { constraint: "^1" }, { version: "1.0.0" }];
  for (const selection of selections) await bench.version(selection);
  bench.expire();
  await Promise.all(selections.map((selection) => bench.askFor(selection)));
  assert.deepEqual(bench.source.calls.filter((call) => call === "listTags"), ["listTags"]);
  assert.equal(bench.source.calls.filter((call) => call === "peekDigest").length, 3);
});

Deno.test("A crowd with three selections makes one tag list and three downloads", async () => {
  const bench = new Bench();
  bench.source.gate = new Gate();
  const selections = [{ constraint: "^1" }, { constraint: "^2" }, { version: "1.0.0" }];
  const crowd = Array.from({ length: 60 }, (_, at) => bench.version(selections[at % 3]));
  bench.source.gate.open();
  const versions = await Promise.all(crowd);
  assert.deepEqual(versions.slice(0, 3), ["1.1.0", "2.0.0", "1.0.0"]);
  const count = (method: string): number =>
    bench.source.calls.filter((call) => call === method).length;
  assert.deepEqual([count("listTags"), count("openBlob")], [1, 3]);
});

Deno.test("Each selection follows what is pushed and deleted", async () => {
  const bench = new Bench();
  await bench.version({ constraint: "^1" });
  await bench.version({ version: "1.0.0" });
  bench.push("1.2.0");
  bench.push("3.0.0");
  bench.source.deleteTag(DEVICE, "1.0.0");
  bench.expire();
  await bench.askFor({ constraint: "^1" });
  await bench.askFor({ version: "1.0.0" });
  assert.equal(await bench.version({ constraint: "^1" }), "1.2.0");
  await assert.rejects(bench.version({ version: "1.0.0" }), { code: "selection-unmatched" });
});

Deno.test("A version by its name is served from what the device has, without its source", async () => {
  const bench = new Bench();
  await bench.version();
  bench.source.failure = outage;
  assert.equal(await bench.version({ version: "2.0.0" }), "2.0.0");
  await assert.rejects(bench.version({ version: "1.0.0" }), { code: "source-unavailable" });
  await assert.rejects(bench.version({ version: "2.0.0", file: "a" }));
});

Deno.test("A version by its name is served from what another process has left, without its source", () =>
  withFolder(async (directory) => {
    {
      using store = await DiskStore.open({ directory, maxBytes: 100_000 });
      await new Bench({ store }).version();
    }
    using store = await DiskStore.open({ directory, maxBytes: 100_000 });
    const bench = new Bench({ store });
    bench.source.failure = outage;
    assert.equal(await bench.version({ version: "2.0.0" }), "2.0.0");
    await assert.rejects(bench.version({ version: "1.0.0" }), { code: "source-unavailable" });
  }));

Deno.test("FirmwareManager.getAnnounced() knows what was announced for the same hardware and file", async () => {
  const bench = new Bench();
  const query = { device: DEVICE, selection: { constraint: "^1" } };
  const told = await bench.manager.get(query);
  bench.push("1.2.0");
  bench.source.deleteManifest(told.digest);
  bench.expire();
  await bench.askFor(query.selection);
  assert.equal((await bench.manager.getAnnounced(query, told)).version, "1.1.0");
  assert.equal((await bench.manager.getAnnounced(DEVICE, told)).version, "1.1.0");
  const other = { device: DEVICE, selection: { constraint: "^1", file: "other.bin" } };
  await assert.rejects(bench.manager.getAnnounced(other, told), { code: "firmware-gone" });
});

Deno.test("FirmwareManager.refresh() checks all that a device was asked for", async () => {
  const bench = new Bench();
  const selections = [{}, { constraint: "^1" }, { version: "1.0.0" }];
  for (const selection of selections) await bench.version(selection);
  bench.push("3.0.0");
  bench.push("1.2.0");
  bench.source.deleteTag(DEVICE, "1.0.0");
  bench.source.forgetCalls();
  assert.equal((await bench.manager.refresh(DEVICE)).version, "3.0.0");
  assert.equal(bench.source.calls.filter((call) => call === "listTags").length, 1);
  bench.source.forgetCalls();
  assert.equal(await bench.version(), "3.0.0");
  assert.equal(await bench.version({ constraint: "^1" }), "1.2.0");
  await assert.rejects(bench.version({ version: "1.0.0" }), { code: "selection-unmatched" });
  assert.deepEqual(bench.source.calls, []);
});

Deno.test("FirmwareManager.refresh() joins no list that was asked for before", async () => {
  const bench = new Bench();
  await bench.version();
  bench.nowMs += UNKNOWN_MS;
  bench.source.forgetCalls();
  bench.source.gate = new Gate();
  const before = bench.version({ constraint: "^1" });
  await bench.source.gate.arrived();
  const refreshed = bench.manager.refresh(DEVICE);
  await bench.source.gate.arrived(2);
  bench.source.gate.open();
  await Promise.all([before, refreshed]);
  assert.equal(bench.source.calls.filter((call) => call === "listTags").length, 2);
});

Deno.test("What the operator wants holds where a request does not say, and a name does not", async () => {
  const bench = new Bench({ defaults: { constraint: "^1", prerelease: false } });
  bench.push("1.2.0-rc.1");
  assert.equal(await bench.version(), "1.1.0");
  assert.equal(await bench.version({ constraint: "^2" }), "2.0.0");
  assert.equal(await bench.version({ channel: "rc" }), "1.2.0-rc.1");
  assert.equal(await bench.version({ version: "2.0.0" }), "2.0.0");
});

Deno.test("Invented selections cost the source little, and push nobody out", async () => {
  const bench = new Bench({ cacheSize: 2 });
  bench.source.push("other", "1.0.0", orasArtifact(firmwareBytes(10)));
  await bench.manager.get("other");
  await bench.version();
  bench.source.forgetCalls();
  let refused = 0;
  for (let count = 0; count < 200; count++) {
    await bench.version({ constraint: `<2 || 9.9.${count}` }).catch((error) => {
      assert.equal(error.code, "firmware-unavailable");
      refused++;
    });
  }
  assert.equal(refused, 200 - NEW_SELECTIONS_LIMIT);
  const count = (method: string): number =>
    bench.source.calls.filter((call) => call === method).length;
  assert.deepEqual([count("listTags"), count("openBlob")], [0, 1]);
  bench.source.forgetCalls();
  assert.equal(await bench.version(), "2.0.0");
  await bench.manager.get("other");
  assert.deepEqual(bench.source.calls, []);
  // What has lost its place is not checked either.
  await bench.manager.refresh(DEVICE);
  assert.deepEqual([count("listTags"), count("peekDigest")], [1, SELECTIONS_LIMIT]);
});

Deno.test("Invented selections of no device make its source be asked once", async () => {
  const bench = new Bench();
  for (let count = 0; count < 20; count++) {
    const question = { device: "nobody", selection: { constraint: `^${count}` } };
    await assert.rejects(bench.manager.get(question), {
      code: "firmware-unknown",
      message: "No firmware for device 'nobody'",
    });
  }
  assert.deepEqual(bench.source.calls, ["listTags"]);
});

Deno.test("What looks like a selection in a device id is no device id", async () => {
  const bench = new Bench();
  await assert.rejects(bench.manager.get(`${DEVICE}?version=1.0.0`), { code: "device-invalid" });
  assert.deepEqual(bench.source.calls, []);
});

Deno.test("Hardware and file are chosen from the newest version, or there is nothing", async () => {
  const bench = new Bench();
  const [c3, c6] = [firmwareBytes(50, 3), firmwareBytes(50, 6)];
  const entries = [c3, c6].map((bytes, at) => ({
    artifact: orasArtifact(bytes),
    claim: { annotations: { "dev.otaflux.variant": at === 0 ? "c3" : "c6" } },
  }));
  bench.source.push(DEVICE, "3.0.0", imageIndex(entries));
  const get = async (selection: Selection): Promise<Uint8Array> =>
    await bench.bytes(await bench.manager.get({ device: DEVICE, selection }));
  assert.deepEqual(await get({}), c3);
  assert.deepEqual(await get({ variant: "c6" }), c6);
  assert.deepEqual(await get({ variant: "c3" }), c3);
  bench.source.forgetCalls();
  await assert.rejects(get({ variant: "s3" }), {
    code: "selection-unmatched",
    message: `No firmware for device '${DEVICE}' matches variant 's3'`,
  });
  await assert.rejects(get({ variant: "c6", file: "boot.bin" }), { code: "selection-unmatched" });
  assert(!bench.source.calls.includes("openBlob"));
});

Deno.test("With a guard each selection has a highest version of its own, and a name has none", async () => {
  const notes = new VersionMemory();
  const bench = new Bench({ guard: new DowngradeGuard(notes) });
  assert.equal(await bench.version(), "2.0.0");
  assert.equal(await bench.version({ constraint: "^1" }), "1.1.0");
  assert.equal(await bench.version({ version: "1.0.0" }), "1.0.0");
  bench.source.deleteTag(DEVICE, "1.1.0");
  bench.expire();
  await bench.askFor({ constraint: "^1" });
  assert.equal(await bench.version({ constraint: "^1" }), "1.1.0", "it is kept, 1.0.0 is refused");
  const noted = [{}, { constraint: "^1" }, { version: "1.0.0" }].map((selection) =>
    notes.get({ device: DEVICE, selection })
  );
  assert.deepEqual(await Promise.all(noted), ["2.0.0", "1.1.0", undefined]);
});

Deno.test("FirmwareManager serves every selection that another one has left, without its source", () =>
  withFolder(async (directory) => {
    const selections = [
      ...[{}, { constraint: "^1" }, { version: "2.0.0" }, { version: "1.0.0" }],
    ];
    const served: string[] = [];
    {
      using store = await DiskStore.open({ directory, maxBytes: 100_000 });
      const bench = new Bench({ store });
      for (const selection of selections) served.push(await bench.version(selection));
    }
    using store = await DiskStore.open({ directory, maxBytes: 100_000 });
    const bench = new Bench({ store });
    bench.source.failure = outage;
    for (const [at, selection] of selections.entries()) {
      const firmware = await bench.manager.get({ device: DEVICE, selection });
      assert.equal(firmware.version, served[at]);
      assert.deepEqual(await bench.bytes(firmware), bytesOf(firmware.version));
    }
    assert.deepEqual(served, ["2.0.0", "1.1.0", "2.0.0", "1.0.0"]);
  }));

Deno.test("A device keeps so many selections, and the one that says nothing", async () => {
  const bench = new Bench({ store: new MemoryStore({ maxBytes: 100_000 }) });
  await bench.version();
  for (let count = 0; count < SELECTIONS_LIMIT; count++) {
    await bench.version({ constraint: `^2 || 9.9.${count}` });
  }
  bench.source.forgetCalls();
  await bench.version();
  await bench.version({ constraint: "^2 || 9.9.1" });
  assert.deepEqual(bench.source.calls, []);
  await bench.version({ constraint: "^2 || 9.9.0" });
  assert.deepEqual(bench.source.calls, ["fetchManifest"]);
});

Deno.test("Stale selections make a device stale", async () => {
  const bench = new Bench();
  await bench.version();
  bench.nowMs += 1000;
  await bench.version({ constraint: "^1" });
  bench.nowMs += REFRESH_MS;
  bench.source.failure = outage;
  await bench.askFor({ constraint: "^1" });
  assert.deepEqual([...bench.manager.overview.staleness()], [[DEVICE, (REFRESH_MS + 1000) / 1000]]);
});

Deno.test("The first of a selection costs what the first of a device costs", async () => {
  const bench = new Bench();
  await bench.version({ channel: "beta", constraint: "^1" });
  assert.deepEqual(bench.source.calls, FETCH);
});
