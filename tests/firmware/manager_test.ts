import assert from "node:assert/strict";
import { ServiceError } from "../../src/errors.ts";
import type { FirmwareManagerOptions } from "../../src/firmware/manager.ts";
import { orasArtifact } from "../helpers/artifacts.ts";
import { ManagerBench, REFRESH_MS, UNKNOWN_MS } from "../helpers/fake_source.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { digestOf, manifestOf } from "../helpers/manifest.ts";
import { Gate } from "../helpers/registry/gate.ts";

const DEVICE = "esp32";
const CHECK = ["listTags", "peekDigest"];
const FETCH = ["listTags", "fetchManifest", "openBlob"];
/** After a first failure nobody is kept waiting for longer. */
const FIRST_PAUSE_MS = 1000;
const outage = new ServiceError("source-unavailable", "Registry is away");
const unknown = { code: "firmware-unknown", message: `No firmware for device '${DEVICE}'` };

const one = orasArtifact(firmwareBytes(100, 1));
const two = orasArtifact(firmwareBytes(100, 2));
const three = orasArtifact(firmwareBytes(100, 3));

/** A bench whose source holds 1.0.0 of one device. */
function bench(options: Partial<FirmwareManagerOptions> = {}): ManagerBench {
  const subject = new ManagerBench(DEVICE, options);
  subject.source.push(DEVICE, "1.0.0", one);
  return subject;
}

Deno.test("FirmwareManager.get() fetches and verifies what a device had not asked for before", async () => {
  const subject = bench();
  const { manager, source } = subject;
  const bytes = firmwareBytes(100, 1);
  const firmware = await manager.get(DEVICE);
  assert.deepEqual(await subject.bytes(firmware), bytes);
  assert.deepEqual(
    [firmware.tag, firmware.version, firmware.digest, firmware.size, `sha256:${firmware.sha256}`],
    ["1.0.0", "1.0.0", one.digest, 100, digestOf(bytes)],
  );
  assert.deepEqual(source.calls, FETCH);
});

Deno.test("FirmwareManager.get() does not ask the source again within the interval", async () => {
  const subject = bench();
  const first = await subject.get();
  subject.source.forgetCalls();
  subject.nowMs += REFRESH_MS - 1;
  assert.equal(await subject.get(), first);
  assert.deepEqual(subject.source.calls, []);
});

Deno.test("FirmwareManager.get() fetches nothing after the interval where nothing changed", async () => {
  const subject = bench();
  const first = await subject.get();
  subject.expire();
  assert.equal(await subject.ask(), first);
  assert.equal(await subject.get(), first);
  assert.deepEqual(subject.source.calls, CHECK);
  subject.source.forgetCalls();
  subject.nowMs += REFRESH_MS - 1;
  await subject.get();
  assert.deepEqual(subject.source.calls, [], "the interval starts anew with each check");
});

Deno.test("FirmwareManager.get() asks on each call where the interval is 0", async () => {
  const subject = bench({ refreshIntervalMs: 0 });
  await subject.get();
  subject.source.forgetCalls();
  for (let call = 0; call < 3; call++) await subject.get();
  assert.deepEqual(subject.source.calls, [...CHECK, ...CHECK, ...CHECK]);
});

Deno.test("FirmwareManager.get() compares manifests where the source cannot tell the digest", async () => {
  const subject = bench();
  subject.source.canPeek = false;
  const first = await subject.get();
  subject.expire();
  await subject.ask();
  assert.deepEqual(await subject.get(), first);
  assert.deepEqual(subject.source.calls, [...CHECK, "fetchManifest"]);
});

Deno.test("FirmwareManager.get() fetches a higher version, and a tag that was moved", async () => {
  const subject = bench();
  const first = await subject.get();
  subject.source.push(DEVICE, "v1.1.0", two);
  subject.expire();
  assert.equal(await subject.ask(), first, "nobody waits for the download");
  const higher = await subject.get();
  assert.deepEqual([higher.version, higher.digest], ["1.1.0", two.digest]);
  assert.deepEqual(subject.source.calls, FETCH);
  subject.source.push(DEVICE, "v1.1.0", three);
  subject.expire();
  await subject.ask();
  const moved = await subject.get();
  assert.deepEqual([moved.version, moved.digest], ["1.1.0", three.digest]);
  assert.deepEqual(subject.source.calls, [...CHECK, "fetchManifest", "openBlob"]);
});

Deno.test("FirmwareManager.get() fetches no blob for the same digest under a new tag", async () => {
  const subject = bench();
  const first = await subject.get();
  subject.source.push(DEVICE, "1.0.1", one);
  subject.expire();
  await subject.ask();
  const renamed = await subject.get();
  assert.deepEqual([renamed.tag, renamed.version], ["1.0.1", "1.0.1"]);
  assert.equal(renamed.sha256, first.sha256);
  assert.deepEqual(await subject.bytes(renamed), firmwareBytes(100, 1));
  assert.deepEqual(subject.source.calls, ["listTags", "fetchManifest"]);
});

Deno.test("FirmwareManager.get() asks the source once for a crowd", async () => {
  const { manager, source, observed } = bench();
  const firmwares = await Promise.all(Array.from({ length: 100 }, () => manager.get(DEVICE)));
  assert.equal(new Set(firmwares).size, 1);
  assert.deepEqual(source.calls, FETCH);
  assert.deepEqual(observed.misses, [DEVICE]);
});

Deno.test("FirmwareManager.get() checks once for a crowd that waits where the interval is 0", async () => {
  const subject = bench({ refreshIntervalMs: 0 });
  const first = await subject.get();
  subject.expire();
  const firmwares = await Promise.all(Array.from({ length: 100 }, () => subject.get()));
  assert.deepEqual([...new Set(firmwares)], [first]);
  assert.deepEqual(subject.source.calls, CHECK);
});

Deno.test("FirmwareManager.get() works for several devices at a time", async () => {
  const { manager, source } = bench();
  source.push("esp8266", "2.0.0", two);
  const gate = source.gate = new Gate();
  const both = [manager.get(DEVICE), manager.get("esp8266")];
  await gate.arrived(2);
  assert.deepEqual(source.calls, ["listTags", "listTags"]);
  gate.open();
  assert.deepEqual((await Promise.all(both)).map(({ version }) => version), ["1.0.0", "2.0.0"]);
});

Deno.test("FirmwareManager.get() shares a failure among those who wait, and tries again then", async () => {
  const subject = bench();
  const { manager, source, observed } = subject;
  source.failure = outage;
  const results = await Promise.allSettled([1, 2, 3].map(() => manager.get(DEVICE)));
  for (const result of results) assert.equal(result.status === "rejected" && result.reason, outage);
  assert.deepEqual(source.calls, ["listTags"]);
  source.failure = undefined;
  subject.nowMs += FIRST_PAUSE_MS;
  assert.equal((await manager.get(DEVICE)).version, "1.0.0");
  assert.deepEqual(observed.misses, [DEVICE], "what failed is no miss");
});

for (const code of ["source-unavailable", "source-timeout", "source-refused"] as const) {
  Deno.test(`FirmwareManager.get() serves the known firmware on ${code}`, async () => {
    const subject = bench();
    const first = await subject.get();
    subject.expire();
    subject.source.failure = new ServiceError(code, "Registry is away");
    assert.equal(await subject.ask(), first);
    assert.equal(await subject.ask(), first);
    assert.deepEqual(
      subject.source.calls,
      ["listTags"],
      "a failing source is not asked more often",
    );
    subject.source.failure = undefined;
    subject.source.push(DEVICE, "2.0.0", two);
    subject.expire();
    await subject.ask();
    assert.equal((await subject.get()).version, "2.0.0");
  });
}

Deno.test("FirmwareManager.get() serves the known firmware where the newest is broken", async () => {
  const subject = bench();
  const first = await subject.get();
  const digest = digestOf(firmwareBytes(4));
  const broken = manifestOf({
    layers: [{ mediaType: "a/b", bytes: firmwareBytes(4, 9), claim: { digest } }],
  });
  subject.source.push(DEVICE, "2.0.0", broken);
  subject.expire();
  assert.equal(await subject.ask(), first);
  assert.equal(await subject.get(), first);
  await assert.rejects(bench({ source: subject.source }).get(), { code: "artifact-invalid" });
});

Deno.test("FirmwareManager.get() forgets a device whose repository is gone", async () => {
  const subject = bench();
  await subject.get();
  subject.source.deleteRepository(DEVICE);
  subject.expire();
  await subject.ask();
  await assert.rejects(subject.get(), unknown);
  assert.deepEqual(subject.observed.entryCounts, [1, 0]);
  subject.source.push(DEVICE, "1.0.0", one);
  subject.nowMs += UNKNOWN_MS;
  subject.source.forgetCalls();
  assert.equal((await subject.get()).version, "1.0.0");
  assert.deepEqual(subject.source.calls, FETCH);
});

Deno.test("FirmwareManager.get() knows no firmware without a repository, or without versions", async () => {
  const { manager, source, observed } = bench();
  source.push("other", "latest", two);
  for (const device of ["other", "nobody"]) {
    await assert.rejects(manager.get(device), {
      code: "firmware-unknown",
      message: `No firmware for device '${device}'`,
    });
  }
  assert.deepEqual(observed, bench().observed, "strangers leave no trace in the metrics");
});

Deno.test("FirmwareManager.get() serves a lower version once the newest tag is deleted", async () => {
  const subject = bench();
  subject.source.push(DEVICE, "2.0.0", two);
  assert.equal((await subject.get()).version, "2.0.0");
  subject.source.deleteTag(DEVICE, "2.0.0");
  subject.expire();
  await subject.ask();
  assert.equal((await subject.get()).version, "1.0.0");
});

Deno.test("FirmwareManager.get() passes over tags that are listed without a manifest", async () => {
  const subject = bench();
  for (const tag of ["1.0.1", "1.0.2", "1.0.3", "1.0.4"]) subject.source.push(DEVICE, tag, two);
  subject.source.deleteManifest(two.digest);
  assert.equal((await subject.get()).version, "1.0.0");
  subject.expire();
  subject.source.deleteManifest(one.digest);
  await subject.ask();
  await assert.rejects(subject.get(), unknown);
});

for (const dangling of [5, 50]) {
  Deno.test(`FirmwareManager.get() gives up after five of ${dangling} tags without manifests`, async () => {
    const { manager, source } = bench();
    for (let patch = 1; patch <= dangling; patch++) source.push(DEVICE, `1.0.${patch}`, two);
    source.deleteManifest(two.digest);
    await assert.rejects(manager.get(DEVICE), { code: "artifact-invalid" });
    assert.deepEqual(source.calls, ["listTags", ...Array(5).fill("fetchManifest")]);
  });
}

Deno.test("FirmwareManager.get() refuses what is too large before it opens the blob", async () => {
  const { manager, source } = bench({ maxFirmwareBytes: 100 });
  assert.equal((await manager.get(DEVICE)).size, 100);
  source.push("large", "1.0.0", orasArtifact(firmwareBytes(101)));
  source.forgetCalls();
  await assert.rejects(manager.get("large"), {
    code: "artifact-invalid",
    message: "Firmware 1.0.0 of device 'large' has 101 bytes, want 100 at most",
  });
  assert.deepEqual(source.calls, ["listTags", "fetchManifest"]);
});

Deno.test("FirmwareManager.get() keeps the devices that asked last", async () => {
  const { manager, source, observed } = bench({ cacheSize: 2 });
  for (const device of ["a", "b", "c"]) source.push(device, "1.0.0", one);
  for (const device of ["a", "b", "a", "c"]) await manager.get(device);
  source.forgetCalls();
  await manager.get("a");
  await manager.get("c");
  assert.deepEqual(source.calls, [], "a and c are kept");
  await manager.get("b");
  assert.deepEqual(source.calls, FETCH, "b was not asked for the longest");
  await manager.get("c");
  await manager.get("a");
  assert.deepEqual(observed.misses, ["a", "b", "c", "b", "a"]);
  assert.deepEqual(observed.entryCounts, [1, 2, 2, 2, 2]);
});

Deno.test("FirmwareManager.get() tells of hits and misses", async () => {
  const subject = bench();
  const counts = (): readonly number[] => [
    subject.observed.hits.length,
    subject.observed.misses.length,
  ];
  await subject.get();
  assert.deepEqual(counts(), [0, 1], "cold");
  await subject.get();
  assert.deepEqual(counts(), [1, 1], "fresh");
  subject.expire();
  await subject.ask();
  assert.deepEqual(counts(), [2, 1], "stale, checked, unchanged");
  subject.source.push(DEVICE, "2.0.0", two);
  subject.expire();
  await subject.ask();
  assert.deepEqual(counts(), [3, 2], "served from the cache, then replaced");
  subject.source.failure = outage;
  subject.expire();
  await subject.ask();
  assert.deepEqual(counts(), [4, 2], "known, though the source fails");
  subject.source.failure = undefined;
  subject.source.deleteRepository(DEVICE);
  subject.expire();
  await subject.ask();
  assert.deepEqual(counts(), [5, 2], "known, for the last time");
  await assert.rejects(subject.get());
  assert.deepEqual(counts(), [5, 2], "gone");
});

Deno.test("FirmwareManager.get() tells of hits and misses where the interval is 0", async () => {
  const subject = bench({ refreshIntervalMs: 0 });
  const { hits, misses } = subject.observed;
  const counts = (): readonly number[] => [hits.length, misses.length];
  await subject.get();
  assert.deepEqual(counts(), [0, 1], "cold");
  await subject.get();
  assert.deepEqual(counts(), [1, 1], "checked, unchanged");
  subject.source.push(DEVICE, "2.0.0", two);
  assert.equal((await subject.get()).version, "2.0.0");
  assert.deepEqual(counts(), [1, 2], "replaced");
  subject.source.failure = outage;
  assert.equal((await subject.get()).version, "2.0.0");
  assert.deepEqual(counts(), [2, 2], "known, though the source fails");
  subject.source.failure = undefined;
  subject.source.deleteRepository(DEVICE);
  subject.nowMs += FIRST_PAUSE_MS;
  await assert.rejects(subject.get(), unknown);
  assert.deepEqual(counts(), [2, 2], "gone");
});
