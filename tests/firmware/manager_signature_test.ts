import assert from "node:assert/strict";
import { ServiceError } from "../../src/errors.ts";
import type { FirmwareStore } from "../../src/firmware/firmware.ts";
import { DiskStore } from "../../src/store/disk.ts";
import { dockerImage, imageIndex, orasArtifact } from "../helpers/artifacts.ts";
import { withFolder } from "../helpers/disk.ts";
import { ManagerBench } from "../helpers/fake_source.ts";
import { FakeVerifier } from "../helpers/fake_verifier.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { CapturedLogs } from "../helpers/logs.ts";

const DEVICE = "esp32";
const one = orasArtifact(firmwareBytes(100, 1));
const two = orasArtifact(firmwareBytes(100, 2));
const three = orasArtifact(firmwareBytes(100, 3));
const outage = new ServiceError("source-unavailable", "Registry is away");

/** A manager at a source with a signed 1.0.0. */
function benchOf(
  { verifier = new FakeVerifier().sign(one.digest), store }: {
    readonly verifier?: FakeVerifier;
    readonly store?: FirmwareStore;
  } = {},
): ManagerBench & { readonly verifier: FakeVerifier } {
  const bench = new ManagerBench(DEVICE, { verifier, ...(store && { store }) });
  bench.source.push(DEVICE, "1.0.0", one);
  return Object.assign(bench, { verifier });
}

Deno.test("FirmwareManager downloads nothing of unsigned firmware", async () => {
  const bench = benchOf({ verifier: new FakeVerifier() });
  await assert.rejects(bench.get(), {
    code: "signature-invalid",
    message: "Firmware 1.0.0 of device 'esp32' is not signed",
  });
  assert.deepEqual(bench.source.calls, ["listTags", "fetchManifest"]);
  assert.deepEqual(bench.observed.verifications, ["esp32 invalid"]);
  assert.deepEqual(bench.observed.misses, []);
});

Deno.test("FirmwareManager gives a crowd at unsigned firmware one answer for a while", async () => {
  const bench = benchOf({ verifier: new FakeVerifier() });
  for (let turn = 0; turn < 5; turn++) await assert.rejects(bench.get());
  assert.equal(bench.verifier.asked.length, 1);
});

Deno.test("FirmwareManager goes on with signed firmware until the newer one is signed", async () => {
  using logs = new CapturedLogs();
  const bench = benchOf();
  const first = await bench.get();
  bench.source.push(DEVICE, "1.1.0", two);
  for (let turn = 0; turn < 3; turn++) {
    bench.expire();
    assert.equal(await bench.ask(), first);
    assert.equal(await bench.get(), first);
    assert(!bench.source.calls.includes("openBlob"));
  }
  const refusals = logs.records.filter(({ message }) => message === "Firmware is refused");
  assert.deepEqual(refusals.map(({ version, digest, reason }) => [version, digest, reason]), [[
    "1.1.0",
    two.digest,
    "Firmware 1.1.0 of device 'esp32' is not signed: found nothing, want a key",
  ]]);
  assert.deepEqual(bench.observed.states, [true], "the source is not to blame");
  bench.verifier.sign(two.digest);
  bench.expire();
  await bench.ask();
  assert.equal((await bench.get()).version, "1.1.0");
});

Deno.test("FirmwareManager verifies a firmware once, and not at each check", async () => {
  const bench = benchOf();
  bench.source.canPeek = false;
  await bench.get();
  for (let turn = 0; turn < 3; turn++) {
    bench.expire();
    await bench.ask();
  }
  assert.equal(bench.verifier.asked.length, 1);
  bench.source.push(DEVICE, "1.0.1", one);
  bench.expire();
  await bench.ask();
  assert.deepEqual(bench.verifier.asked, [
    [DEVICE, "1.0.0", one.digest],
    [DEVICE, "1.0.1", one.digest],
  ]);
});

Deno.test("FirmwareManager does not call firmware unsigned while that cannot be told", async () => {
  const bench = benchOf();
  bench.verifier.failure = outage;
  await assert.rejects(bench.get(), outage);
  assert.deepEqual(bench.observed.verifications, ["esp32 error"]);
  assert.deepEqual(bench.observed.states, [true, false]);
});

Deno.test("FirmwareManager shows its verifier an index and the manifest that it took", async () => {
  const image = await dockerImage({ "firmware.bin": firmwareBytes(100, 1) });
  const index = imageIndex([image], { attestation: "first" });
  const verifier = new FakeVerifier().sign(image.digest);
  const bench = benchOf({ verifier });
  bench.source.push(DEVICE, "2.0.0", index);
  await bench.get();
  assert.deepEqual(verifier.asked, [[DEVICE, "2.0.0", index.digest, image.digest]]);
});

Deno.test("FirmwareManager verifies firmware that was announced, too", async () => {
  const bench = benchOf();
  const known = await bench.get();
  const strange = { tag: "2.0.0", version: "2.0.0", digest: two.digest as typeof known.digest };
  bench.source.push(DEVICE, "1.1.0", two);
  bench.source.deleteTag(DEVICE, "1.1.0");
  bench.source.forgetCalls();
  await assert.rejects(bench.manager.getAnnounced(DEVICE, strange), { code: "signature-invalid" });
  assert.deepEqual(bench.source.calls, ["fetchManifest"]);
});

Deno.test("FirmwareManager finds announced firmware although the newest is unsigned", async () => {
  const bench = benchOf({ verifier: new FakeVerifier().sign(two.digest) });
  bench.source.push(DEVICE, "0.9.0", two);
  const name = { tag: "0.9.0", version: "0.9.0", digest: two.digest as `sha256:${string}` };
  await assert.rejects(bench.get(), { code: "signature-invalid" });
  assert.equal((await bench.manager.getAnnounced(DEVICE, name)).digest, two.digest);
});

/** What a manager has left in a folder, found by another one. */
async function afterRestart(
  test: (restart: (verifier: FakeVerifier | undefined) => Promise<ManagerBench>) => Promise<void>,
): Promise<void> {
  await withFolder(async (directory) => {
    const stores: DiskStore[] = [];
    const restart = async (verifier: FakeVerifier | undefined): Promise<ManagerBench> => {
      stores.at(-1)?.[Symbol.dispose]();
      const store = await DiskStore.open({ directory, maxBytes: 100_000 });
      stores.push(store);
      const bench = new ManagerBench(DEVICE, { store, ...(verifier && { verifier }) });
      bench.source.push(DEVICE, "1.0.0", one);
      return bench;
    };
    try {
      await (await restart(new FakeVerifier("old keys").sign(one.digest))).get();
      await test(restart);
    } finally {
      stores.at(-1)?.[Symbol.dispose]();
    }
  });
}

Deno.test("FirmwareManager serves what it finds on disk without asking, under the same keys", () =>
  afterRestart(async (restart) => {
    const verifier = new FakeVerifier("old keys");
    const bench = await restart(verifier);
    bench.source.failure = outage;
    assert.equal((await bench.ask()).digest, one.digest);
    assert.deepEqual(verifier.asked, []);
  }));

Deno.test("FirmwareManager verifies what it finds on disk under other keys, without a download", () =>
  afterRestart(async (restart) => {
    const verifier = new FakeVerifier("new keys").sign(one.digest);
    const bench = await restart(verifier);
    assert.equal((await bench.ask()).digest, one.digest);
    assert.deepEqual(verifier.asked, [[DEVICE, "1.0.0", one.digest]]);
    assert(!bench.source.calls.includes("openBlob"));
    // It is written down: the next start needs no source.
    const next = await restart(new FakeVerifier("new keys"));
    next.source.failure = outage;
    assert.equal((await next.ask()).digest, one.digest);
  }));

Deno.test("FirmwareManager goes on with what other keys have signed, too, though the newest is unsigned", () =>
  afterRestart(async (restart) => {
    const bench = await restart(new FakeVerifier("new keys").sign(one.digest));
    bench.source.push(DEVICE, "2.0.0", three);
    assert.equal((await bench.ask()).version, "1.0.0");
    assert.equal((await bench.ask()).version, "1.0.0");
  }));

Deno.test("FirmwareManager does not serve from disk what other keys have not signed", () =>
  afterRestart(async (restart) => {
    using logs = new CapturedLogs();
    const bench = await restart(new FakeVerifier("new keys"));
    await assert.rejects(bench.ask(), { code: "signature-invalid" });
    await assert.rejects(bench.ask(), { code: "signature-invalid" });
    const messages = logs.messages("warn").filter((message) => message.startsWith("Kept"));
    assert.deepEqual(messages, ["Kept firmware is not served, it was verified under other keys"]);
    const again = await restart(new FakeVerifier("old keys"));
    assert.equal((await again.ask()).digest, one.digest, "it was not lost");
  }));

Deno.test("FirmwareManager does not serve from disk what cannot be verified under other keys now", () =>
  afterRestart(async (restart) => {
    const bench = await restart(new FakeVerifier("new keys").sign(one.digest));
    bench.source.failure = outage;
    await assert.rejects(bench.ask(), { code: "source-unavailable" });
    await assert.rejects(bench.ask(), { code: "source-unavailable" });
    bench.source.failure = undefined;
    bench.nowMs += 3_600_000;
    assert.equal((await bench.ask()).digest, one.digest);
  }));

Deno.test("FirmwareManager verifies what it finds on disk where nothing was verified before", () =>
  withFolder(async (directory) => {
    {
      using store = await DiskStore.open({ directory, maxBytes: 100_000 });
      const bench = new ManagerBench(DEVICE, { store });
      bench.source.push(DEVICE, "1.0.0", one);
      await bench.get();
    }
    using store = await DiskStore.open({ directory, maxBytes: 100_000 });
    const bench = benchOf({ verifier: new FakeVerifier(), store });
    await assert.rejects(bench.ask(), { code: "signature-invalid" });
  }));

Deno.test("FirmwareManager serves what was verified where nothing needs to be", () =>
  afterRestart(async (restart) => {
    const bench = await restart(undefined);
    bench.source.failure = outage;
    assert.equal((await bench.ask()).digest, one.digest);
  }));

Deno.test("FirmwareManager has each manifest of an index verified, for whichever hardware", async () => {
  const bench = benchOf({ verifier: new FakeVerifier().sign(one.digest) });
  const entries = [one, two].map((artifact, at) => ({
    artifact,
    claim: { annotations: { "dev.otaflux.variant": `v${at + 1}` } },
  }));
  bench.source.push(DEVICE, "2.0.0", imageIndex(entries));
  const get = async (variant: string): Promise<string> =>
    (await bench.manager.get({ device: DEVICE, selection: { variant } })).version;
  assert.equal(await get("v1"), "2.0.0");
  await assert.rejects(get("v2"), { code: "signature-invalid" });
  assert.equal(bench.verifier.asked.length, 2);
});
