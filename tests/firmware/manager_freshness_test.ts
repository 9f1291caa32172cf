import assert from "node:assert/strict";
import { type ErrorCode, ServiceError } from "../../src/errors.ts";
import type { FirmwareManagerOptions } from "../../src/firmware/manager.ts";
import type { Descriptor } from "../../src/oci.ts";
import { orasArtifact } from "../helpers/artifacts.ts";
import { FakeSource, ManagerBench, REFRESH_MS, UNKNOWN_MS } from "../helpers/fake_source.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { CapturedLogs } from "../helpers/logs.ts";
import { digestOf, manifestOf } from "../helpers/manifest.ts";
import { Gate } from "../helpers/registry/gate.ts";

const DEVICE = "esp32";
const CHECK = ["listTags", "peekDigest"];
const FETCH = ["listTags", "fetchManifest", "openBlob"];
/** Beyond every pause. */
const LONG_MS = 300_000;
/** The first pause of a bench, whose chance is always even. */
const FIRST_PAUSE_MS = 750;

const DEVICE_WARNING = "Cannot check for a newer firmware, serving the known one";
const SOURCE_WARNING = "Registry does not answer";

const one = orasArtifact(firmwareBytes(100, 1));
const two = orasArtifact(firmwareBytes(100, 2));
const broken = manifestOf({
  layers: [{
    mediaType: "a/b",
    bytes: firmwareBytes(4, 9),
    claim: { digest: digestOf(firmwareBytes(4)) },
  }],
});

/** A bench whose source holds 1.0.0 of one device. */
function bench(options: Partial<FirmwareManagerOptions> = {}): ManagerBench {
  const subject = new ManagerBench(DEVICE, options);
  subject.source.push(DEVICE, "1.0.0", one);
  return subject;
}

function failureOf(code: ErrorCode): ServiceError {
  return new ServiceError(code, "Registry is away");
}

/** A bench of a device and a witness, whose background can be made to look once what is due. */
class TickingBench extends ManagerBench {
  /** So short that a tick of the real timer comes soon; what is due goes by the bench's clock. */
  static readonly INTERVAL_MS = 40;

  constructor(options: Partial<FirmwareManagerOptions> = {}) {
    super(DEVICE, { refreshIntervalMs: TickingBench.INTERVAL_MS, ...options });
    for (const device of [DEVICE, "witness"]) this.source.push(device, "1.0.0", one);
  }

  /** Lets the background run until it has asked the source something. */
  async tick(): Promise<void> {
    const gate = this.source.gate = new Gate();
    this.manager.start();
    await gate.arrived();
    this.manager.stop();
    this.source.gate = undefined;
    gate.open();
  }
}

/** How stale each device is, by its name. */
function staleness({ manager }: ManagerBench): Record<string, number> {
  return Object.fromEntries(manager.overview.staleness());
}

Deno.test("FirmwareManager.get() never waits for a source that hangs, and checks once behind all", async () => {
  const subject = bench();
  const first = await subject.get();
  subject.expire();
  subject.source.push(DEVICE, "2.0.0", two);
  const gate = subject.source.gate = new Gate();
  for (let request = 0; request < 1000; request++) assert.equal(await subject.get(), first);
  await gate.arrived();
  subject.nowMs += REFRESH_MS;
  assert.equal(await subject.get(), first);
  assert.deepEqual(subject.source.calls, ["listTags"]);
  gate.open();
  await subject.manager.settled(DEVICE);
  assert.equal((await subject.get()).version, "2.0.0");
});

for (
  const [name, code, warnings, states] of [
    ["source-refused (401)", "source-refused", [DEVICE_WARNING], [true]],
    ["source-invalid", "source-invalid", [DEVICE_WARNING], [true]],
    ["source-unavailable (429, 5xx)", "source-unavailable", [DEVICE_WARNING, SOURCE_WARNING], [
      true,
      false,
    ]],
    ["source-timeout", "source-timeout", [DEVICE_WARNING, SOURCE_WARNING], [true, false]],
    ["artifact-invalid", undefined, [DEVICE_WARNING], [true]],
  ] as const
) {
  Deno.test(`FirmwareManager.get() goes on through ${name}, says so once, and tells how stale it is`, async () => {
    using logs = new CapturedLogs();
    const subject = bench();
    const first = await subject.get();
    assert.equal(subject.manager.ageSeconds(DEVICE, first), 0);
    if (code === undefined) subject.source.push(DEVICE, "2.0.0", broken);
    else subject.source.failure = failureOf(code);
    for (let check = 1; check <= 5; check++) {
      subject.nowMs += LONG_MS;
      subject.source.forgetCalls();
      assert.equal(await subject.ask(), first);
      assert.equal(subject.source.calls[0], "listTags", "it is checked again");
      const ageSeconds = check * LONG_MS / 1000;
      assert.equal(subject.manager.ageSeconds(DEVICE, first), ageSeconds);
      assert.deepEqual(staleness(subject), { [DEVICE]: ageSeconds });
    }
    assert.deepEqual(logs.messages("warn"), warnings);
    assert.deepEqual(subject.observed.states, states);

    if (code === undefined) subject.source.deleteTag(DEVICE, "2.0.0");
    else subject.source.failure = undefined;
    subject.nowMs += LONG_MS;
    assert.equal(await subject.ask(), first);
    assert.equal(subject.manager.ageSeconds(DEVICE, first), 0);
    assert.deepEqual(staleness(subject), { [DEVICE]: 0 });
    subject.expire();
    await subject.ask();
    const again = logs.messages("info").filter((message) => message.endsWith(" again"));
    assert.deepEqual(
      again.toSorted(),
      states.length === 1
        ? ["Firmware is checked again"]
        : ["Firmware is checked again", "Registry answers again"],
    );
    assert.equal(subject.observed.states.at(-1), true);
    assert.equal(logs.messages("warn").length, warnings.length);
  });
}

Deno.test("FirmwareOverview.staleness() is 0 for a device that nobody has asked for, unless the source is away", async () => {
  const subject = bench();
  subject.source.push("quiet", "1.0.0", one);
  await subject.get();
  await subject.manager.get("quiet");
  subject.nowMs += 3_600_000;
  assert.deepEqual(staleness(subject), { [DEVICE]: 0, quiet: 0 });
  subject.source.failure = failureOf("source-unavailable");
  await subject.ask();
  assert.deepEqual(staleness(subject), { [DEVICE]: 3600, quiet: 3600 });
});

Deno.test("FirmwareManager.ageSeconds() is of what would be served, and of nothing else", async () => {
  const subject = bench();
  const old = await subject.get();
  subject.nowMs += 2500;
  assert.equal(subject.manager.ageSeconds(DEVICE, old), 2.5);
  assert.equal(subject.manager.ageSeconds("nobody", old), undefined);
  subject.source.push(DEVICE, "2.0.0", two);
  const newest = await subject.manager.refresh(DEVICE);
  assert.equal(subject.manager.ageSeconds(DEVICE, newest), 0);
  assert.equal(subject.manager.ageSeconds(DEVICE, old), undefined);
});

Deno.test("FirmwareManager.get() checks a device that fails less and less often, down to every five minutes", async () => {
  const subject = bench({ random: () => 0.999_999 });
  await subject.get();
  subject.expire();
  subject.source.failure = failureOf("source-refused");
  const gaps: number[] = [];
  let last = subject.nowMs;
  while (gaps.length < 12) {
    subject.source.forgetCalls();
    await subject.ask();
    if (subject.source.calls.length > 0) {
      gaps.push((subject.nowMs - last) / 1000);
      last = subject.nowMs;
    }
    subject.nowMs += 1000;
  }
  assert.deepEqual(gaps, [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
});

Deno.test("FirmwareManager.get() finds out with a single check whether the source is back", async () => {
  const subject = bench();
  for (const device of ["a", "b", "c", "cold"]) subject.source.push(device, "1.0.0", one);
  for (const device of ["a", "b", "c"]) await subject.manager.get(device);
  subject.expire();
  subject.source.failure = failureOf("source-timeout");
  await assert.rejects(subject.manager.get("cold"), { code: "source-timeout" });
  subject.source.failure = undefined;
  subject.source.forgetCalls();
  for (const device of ["a", "b", "c"]) await subject.manager.get(device);
  assert.deepEqual(subject.source.calls, [], "it has a pause");
  subject.nowMs += FIRST_PAUSE_MS;
  const gate = subject.source.gate = new Gate();
  for (const device of ["a", "b", "c"]) await subject.manager.get(device);
  await gate.arrived();
  for (const device of ["b", "c"]) await subject.manager.settled(device);
  await assert.rejects(subject.manager.get("cold"), {
    code: "source-unavailable",
    retryAfterSeconds: 1,
  });
  assert.deepEqual(subject.source.calls, ["listTags"]);
  assert.equal(subject.observed.states.at(-1), false);
  gate.open();
  await subject.manager.settled("a");
  assert.equal(subject.observed.states.at(-1), true);
  assert.equal((await subject.manager.get("cold")).version, "1.0.0");
});

Deno.test("FirmwareManager.get() makes no storm of 10,000 stale devices when the source is back", async () => {
  const devices = Array.from({ length: 10_000 }, (_, number) => `device-${number}`);
  const subject = bench({ cacheSize: devices.length, concurrency: 8 });
  for (const device of devices) subject.source.push(device, "1.0.0", one);
  for (const device of devices) await subject.manager.get(device);
  const askForAll = async (): Promise<void> => {
    for (const device of devices) await subject.manager.get(device);
    for (const device of devices) await subject.manager.settled(device);
  };
  subject.expire();
  subject.source.failure = failureOf("source-unavailable");
  await askForAll();
  assert(subject.source.calls.length <= 8, `${subject.source.calls.length} questions while away`);
  subject.source.failure = undefined;
  subject.nowMs += LONG_MS;
  await askForAll();
  subject.source.forgetCalls();
  await askForAll();
  assert(subject.source.peak <= 8, `${subject.source.peak} at once`);
  assert.deepEqual([...new Set(Object.values(staleness(subject)))], [0]);
  const ages = await Promise.all(
    devices.map(async (device) =>
      subject.manager.ageSeconds(device, await subject.manager.get(device))
    ),
  );
  assert.deepEqual([...new Set(ages)], [0], "all of them were checked");
});

Deno.test("FirmwareManager.get() of a new device does not stand in line behind checks", async () => {
  const subject = bench({ concurrency: 3 });
  const devices = ["a", "b", "c", "d", "e"];
  for (const device of devices) subject.source.push(device, "1.0.0", one);
  for (const device of devices) await subject.manager.get(device);
  subject.expire();
  const gate = subject.source.gate = new Gate();
  for (const device of devices) await subject.manager.get(device);
  await gate.arrived(2);
  subject.source.gate = undefined;
  assert.equal((await subject.get()).version, "1.0.0");
  assert.deepEqual(subject.source.calls, ["listTags", "listTags", ...FETCH]);
  gate.open();
  for (const device of devices) await subject.manager.settled(device);
  assert.equal(subject.source.peak, 3);
});

Deno.test("FirmwareManager.get() gives up what stands in line once the source fails", async () => {
  const subject = bench({ concurrency: 2 });
  const devices = Array.from({ length: 20 }, (_, number) => `cold-${number}`);
  const gate = subject.source.gate = new Gate();
  subject.source.failure = failureOf("source-timeout");
  const results = devices.map((device) => subject.manager.get(device));
  await gate.arrived(2);
  gate.open();
  const codes = (await Promise.allSettled(results)).map((result) =>
    result.status === "rejected" && result.reason.code
  );
  assert.deepEqual(new Set(codes), new Set(["source-timeout", "source-unavailable"]));
  assert.equal(subject.source.calls.length, 2);
});

Deno.test("FirmwareManager.get() lets others ask as soon as the source has answered, during a long download", async () => {
  const blob = new Gate();
  const source = new class extends FakeSource {
    override async openBlob(
      device: string,
      descriptor: Descriptor,
    ): Promise<ReadableStream<Uint8Array>> {
      if (device === "large") await blob.pass();
      return await super.openBlob(device, descriptor);
    }
  }();
  const subject = new ManagerBench(DEVICE, { source });
  source.push(DEVICE, "1.0.0", one);
  source.push("large", "1.0.0", two);
  source.failure = failureOf("source-timeout");
  await assert.rejects(subject.get(), { code: "source-timeout" });
  source.failure = undefined;
  subject.nowMs += LONG_MS;
  const large = subject.manager.get("large");
  await blob.arrived();
  assert.deepEqual(subject.observed.states, [true, false, true]);
  assert.equal((await subject.get()).version, "1.0.0");
  blob.open();
  assert.equal((await large).digest, two.digest);
});

Deno.test("FirmwareManager.get() tells a wrong id from a right one although the source is away", async () => {
  const subject = bench();
  subject.source.failure = failureOf("source-unavailable");
  await assert.rejects(subject.get(), { code: "source-unavailable" });
  subject.nowMs += LONG_MS;
  await assert.rejects(subject.manager.get("../etc"), { code: "device-invalid" });
  assert.deepEqual(subject.observed.states, [true, false], "that was no answer of the source");
});

Deno.test("FirmwareManager.get() asks once for an unknown device within the time that it is remembered", async () => {
  const { manager, source } = bench();
  const subject = bench({ source });
  const unknown = { code: "firmware-unknown", message: "No firmware for device 'nobody'" };
  for (let request = 0; request < 1000; request++) {
    await assert.rejects(subject.manager.get("nobody"), unknown);
  }
  assert.deepEqual(source.calls, ["listTags"]);
  subject.nowMs += UNKNOWN_MS - 1;
  await assert.rejects(subject.manager.get("nobody"), unknown);
  assert.deepEqual(source.calls, ["listTags"]);
  source.push("nobody", "1.0.0", one);
  subject.nowMs += 1;
  assert.equal((await subject.manager.get("nobody")).version, "1.0.0");
  assert.equal((await manager.get(DEVICE)).version, "1.0.0");
});

Deno.test("FirmwareManager.get() asks each time for an unknown device that is not to be remembered", async () => {
  const { manager, source } = bench({ unknownForMs: 0 });
  for (let request = 0; request < 3; request++) {
    await assert.rejects(manager.get("nobody"), { code: "firmware-unknown" });
  }
  assert.deepEqual(source.calls, ["listTags", "listTags", "listTags"]);
});

Deno.test("FirmwareManager.get() does not download broken firmware for each who asks", async () => {
  const subject = bench();
  subject.source.push("new", "1.0.0", broken);
  for (let request = 0; request < 100; request++) {
    await assert.rejects(subject.manager.get("new"), { code: "artifact-invalid" });
  }
  assert.deepEqual(subject.source.calls, FETCH);
  subject.source.push("new", "1.0.1", two);
  subject.nowMs += FIRST_PAUSE_MS;
  assert.equal((await subject.manager.get("new")).version, "1.0.1");
});

Deno.test("FirmwareManager.get() asks the source once for a crowd of 2,000 at a cold device", async () => {
  const subject = bench();
  const gate = subject.source.gate = new Gate();
  const crowd = Array.from({ length: 2000 }, () => subject.get());
  await gate.arrived();
  gate.open();
  assert.equal(new Set(await Promise.all(crowd)).size, 1);
  assert.deepEqual(subject.source.calls, FETCH);
});

Deno.test("FirmwareManager.get() fetches anew what lost its place while it was checked, and keeps it", async () => {
  const subject = bench({ cacheSize: 1 });
  subject.source.push("other", "1.0.0", two);
  const first = await subject.get();
  subject.expire();
  const gate = subject.source.gate = new Gate();
  await subject.get();
  await gate.arrived();
  subject.source.gate = undefined;
  await subject.manager.get("other");
  // Its place is taken: who asks now joins the check that is under way, and waits for it.
  subject.source.forgetCalls();
  const joined = subject.get();
  gate.open();
  assert.equal(await joined, first);
  assert.deepEqual(subject.source.calls, ["peekDigest"]);
  subject.source.forgetCalls();
  assert.equal(await subject.get(), first);
  assert.deepEqual(subject.source.calls, []);
  assert.equal([...subject.manager.overview.staleness()].length, 1);
});

Deno.test("FirmwareManager.get() survives that a check fails for what lost its place meanwhile", async () => {
  const subject = bench({ cacheSize: 1 });
  subject.source.push("other", "1.0.0", two);
  await subject.get();
  subject.expire();
  const gate = subject.source.gate = new Gate();
  await subject.get();
  await gate.arrived();
  subject.source.gate = undefined;
  await subject.manager.get("other");
  subject.source.failure = failureOf("source-refused");
  gate.open();
  await subject.manager.settled(DEVICE);
  assert.deepEqual(Object.keys(staleness(subject)), ["other"]);
});

Deno.test("FirmwareManager.refresh() checks at once, past interval, pause and memory of unknown devices", async () => {
  const subject = bench();
  await subject.get();
  subject.source.forgetCalls();
  await subject.manager.refresh(DEVICE);
  assert.deepEqual(subject.source.calls, CHECK, "within the interval");

  subject.expire();
  subject.source.push(DEVICE, "2.0.0", broken);
  await subject.ask();
  subject.source.push(DEVICE, "2.0.1", two);
  assert.equal((await subject.manager.refresh(DEVICE)).version, "2.0.1", "within the pause");
  assert.equal((await subject.get()).version, "2.0.1");

  await assert.rejects(subject.manager.get("new"), { code: "firmware-unknown" });
  subject.source.push("new", "1.0.0", one);
  assert.equal((await subject.manager.refresh("new")).version, "1.0.0");
  assert.equal((await subject.manager.get("new")).version, "1.0.0");
});

Deno.test("FirmwareManager.refresh() looks again after a check that had begun before, once for all", async () => {
  const subject = bench();
  await subject.get();
  subject.expire();
  const gate = subject.source.gate = new Gate();
  await subject.get();
  await gate.arrived();
  const refreshes = Array.from({ length: 50 }, () => subject.manager.refresh(DEVICE));
  gate.open();
  assert.equal(new Set(await Promise.all(refreshes)).size, 1);
  assert.deepEqual(subject.source.calls, [...CHECK, ...CHECK]);
});

Deno.test("FirmwareManager.refresh() fails as the source does, and what was known stays", async () => {
  const subject = bench();
  const first = await subject.get();
  subject.source.failure = failureOf("source-refused");
  await assert.rejects(subject.manager.refresh(DEVICE), { code: "source-refused" });
  assert.equal(await subject.get(), first);
});

Deno.test("FirmwareManager.start() checks a device that was asked for, without another request", async () => {
  const subject = new TickingBench();
  await subject.manager.get(DEVICE);
  subject.source.push(DEVICE, "2.0.0", two);
  subject.source.forgetCalls();
  subject.nowMs += TickingBench.INTERVAL_MS;
  await subject.tick();
  await subject.manager.settled(DEVICE);
  assert.deepEqual(subject.observed.misses, [DEVICE, DEVICE]);
  assert.equal((await subject.manager.get(DEVICE)).version, "2.0.0");
});

Deno.test("FirmwareManager.start() goes on checking a device for as long as it is asked for", async () => {
  const subject = new TickingBench({ trackForMs: 100 });
  await subject.manager.get(DEVICE);
  subject.nowMs += 30;
  await subject.manager.get(DEVICE);
  subject.nowMs += 99;
  subject.source.forgetCalls();
  await subject.tick();
  await subject.manager.settled(DEVICE);
  assert.deepEqual(subject.source.calls, CHECK);
});

Deno.test("FirmwareManager.start() does not check again what a request has had checked in its turn", async () => {
  const subject = new TickingBench();
  await subject.manager.get(DEVICE);
  await subject.manager.get("witness");
  subject.nowMs += TickingBench.INTERVAL_MS;
  await subject.ask();
  subject.source.forgetCalls();
  await subject.tick();
  await subject.manager.settled("witness");
  assert.deepEqual(subject.source.calls, CHECK, "of the witness, which comes after the device");
});

Deno.test("FirmwareManager.start() leaves a device alone whose check failed a moment ago", async () => {
  const subject = new TickingBench();
  await subject.manager.get(DEVICE);
  await subject.manager.get("witness");
  subject.nowMs += TickingBench.INTERVAL_MS;
  subject.source.failure = failureOf("source-refused");
  await subject.ask();
  subject.source.failure = undefined;
  subject.nowMs += TickingBench.INTERVAL_MS;
  subject.source.forgetCalls();
  await subject.tick();
  await subject.manager.settled("witness");
  assert.deepEqual(subject.source.calls, CHECK, "of the witness, which comes after the device");
});

Deno.test("FirmwareOverview.lastCheckSeconds() says when any device was confirmed last", async () => {
  const bench = new ManagerBench("a");
  assert.equal(bench.manager.overview.lastCheckSeconds(), undefined);
  for (const device of ["a", "b"]) {
    bench.source.push(device, "1.0.0", orasArtifact(firmwareBytes(10, 1)));
  }
  await bench.manager.refresh("a");
  bench.nowMs += 5000;
  await bench.manager.refresh("b");
  bench.nowMs += 2000;
  assert.equal(bench.manager.overview.lastCheckSeconds(), 2);
  bench.source.failure = new ServiceError("source-unavailable", "Away");
  await assert.rejects(bench.manager.refresh("a"));
  assert.equal(bench.manager.overview.lastCheckSeconds(), 2, "a check that fails is none");
  assert.deepEqual(bench.observed.failures, ["source-unavailable"]);
  await assert.rejects(bench.manager.refresh("a"));
  assert.equal(bench.observed.failures.length, 1, "in a pause nothing is checked");
});
