import assert from "node:assert/strict";
import { isServiceError } from "../../src/errors.ts";
import { DowngradeGuard } from "../../src/firmware/downgrade.ts";
import { FirmwareLookup } from "../../src/firmware/lookup.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { VersionMemory } from "../../src/store/versions.ts";
import { orasArtifact } from "../helpers/artifacts.ts";
import { FakeSource, ManagerBench, Observed } from "../helpers/fake_source.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { CapturedLogs } from "../helpers/logs.ts";

const DEVICE = "esp32";

/** A source with 1.0.0 and 2.0.0. */
function sourceOfTwo(): FakeSource {
  const source = new FakeSource();
  source.push(DEVICE, "1.0.0", orasArtifact(firmwareBytes(10, 1)));
  source.push(DEVICE, "2.0.0", orasArtifact(firmwareBytes(10, 2)));
  return source;
}

function lookupAt(source: FakeSource, guard: DowngradeGuard): FirmwareLookup {
  const store = new MemoryStore({ maxBytes: 1000 });
  return new FirmwareLookup({
    ...{ source, store, guard, maxFirmwareBytes: 100 },
    ...{ observer: new Observed(), onAnswer: (): void => {} },
  });
}

function isRefusal(error: unknown): boolean {
  return isServiceError(error, "artifact-invalid") &&
    /1\.0\.0.*lower than 2\.0\.0/.test(error.message);
}

Deno.test("A lower version than was served before is refused, and nothing of it is fetched", async () => {
  const source = sourceOfTwo();
  const lookup = lookupAt(source, new DowngradeGuard(new VersionMemory()));
  const known = await lookup.newest(DEVICE, undefined);
  source.deleteTag(DEVICE, "2.0.0");
  source.forgetCalls();
  await assert.rejects(lookup.newest(DEVICE, known), isRefusal);
  await assert.rejects(lookup.newest(DEVICE, undefined), isRefusal, "whatever is known now");
  assert.deepEqual(source.calls, ["listTags", "listTags"]);
});

Deno.test("What is known counts although it was never noted: the guard may be new", async () => {
  const source = sourceOfTwo();
  const known = await lookupAt(source, new DowngradeGuard(new VersionMemory()))
    .newest(DEVICE, undefined);
  source.deleteTag(DEVICE, "2.0.0");
  const lookup = lookupAt(source, new DowngradeGuard(new VersionMemory()));
  await assert.rejects(lookup.newest(DEVICE, known), isRefusal);
});

Deno.test("What is confirmed is noted, too", async () => {
  const source = sourceOfTwo();
  const known = await lookupAt(source, new DowngradeGuard(new VersionMemory()))
    .newest(DEVICE, undefined);
  const lookup = lookupAt(source, new DowngradeGuard(new VersionMemory()));
  assert.equal(await lookup.newest(DEVICE, known), known);
  source.deleteTag(DEVICE, "2.0.0");
  await assert.rejects(lookup.newest(DEVICE, undefined), isRefusal);
});

Deno.test("The same version and a higher one pass, build metadata does not count", async () => {
  const source = sourceOfTwo();
  const lookup = lookupAt(source, new DowngradeGuard(new VersionMemory()));
  await lookup.newest(DEVICE, undefined);
  source.deleteTag(DEVICE, "2.0.0");
  source.push(DEVICE, "2.0.0_build.1", orasArtifact(firmwareBytes(10, 3)));
  assert.equal((await lookup.newest(DEVICE, undefined)).version, "2.0.0+build.1");
  source.push(DEVICE, "2.0.1", orasArtifact(firmwareBytes(10, 4)));
  assert.equal((await lookup.newest(DEVICE, undefined)).version, "2.0.1");
});

Deno.test("A pre-release is lower than its release", async () => {
  const source = sourceOfTwo();
  const lookup = lookupAt(source, new DowngradeGuard(new VersionMemory()));
  await lookup.newest(DEVICE, undefined);
  source.deleteTag(DEVICE, "2.0.0");
  source.push(DEVICE, "2.0.0-rc.1", orasArtifact(firmwareBytes(10, 3)));
  await assert.rejects(lookup.newest(DEVICE, undefined), /2\.0\.0-rc\.1.*lower than 2\.0\.0/);
});

Deno.test("What cannot be noted is not served", async () => {
  const notes = new VersionMemory();
  notes.set = () => Promise.reject(new Error("Disk is full"));
  const lookup = lookupAt(sourceOfTwo(), new DowngradeGuard(notes));
  await assert.rejects(lookup.newest(DEVICE, undefined), /Disk is full/);
});

Deno.test("The known firmware goes on being served, and the log says why once", async () => {
  const bench = new ManagerBench(DEVICE, { guard: new DowngradeGuard(new VersionMemory()) });
  bench.source.push(DEVICE, "1.0.0", orasArtifact(firmwareBytes(10, 1)));
  bench.source.push(DEVICE, "2.0.0", orasArtifact(firmwareBytes(10, 2)));
  await bench.get();
  bench.source.deleteTag(DEVICE, "2.0.0");
  using logs = new CapturedLogs();
  for (let check = 0; check < 3; check++) {
    bench.expire();
    // Pauses between tries grow: this is longer than the longest.
    bench.nowMs += 600_000;
    assert.equal((await bench.ask()).version, "2.0.0");
    assert.deepEqual(bench.source.calls, ["listTags"]);
  }
  const warnings = logs.records.filter(({ level }) => level === "warn");
  assert.equal(warnings.length, 1);
  assert.match(JSON.stringify(warnings), /lower than 2\.0\.0, which was served before/);
});
