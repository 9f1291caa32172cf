import assert from "node:assert/strict";
import { ServiceError } from "../../src/errors.ts";
import type { AnnouncedFirmware } from "../../src/notifier/message.ts";
import { formatMessage } from "../../src/notifier/message.ts";
import { MqttNotifier, type MqttNotifierOptions } from "../../src/notifier/notifier.ts";
import { recordOf } from "../helpers/disk.ts";
import { FakeBroker } from "../helpers/fake_broker.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { CapturedLogs } from "../helpers/logs.ts";

const [V1, V2, V3] = ["1.0.0", "1.1.0", "1.2.0"].map((version, index) =>
  recordOf(firmwareBytes(100, index), version).firmware
) as unknown as readonly [AnnouncedFirmware, AnnouncedFirmware, AnnouncedFirmware];

/** A notifier with a broker, a source and a clock of the test's. */
class Bench {
  readonly broker = new FakeBroker();
  /** Devices that were checked. */
  readonly refreshed: string[] = [];
  /** What the source says is the newest. */
  newest: AnnouncedFirmware | Error = V1;
  /** Pauses, which last until they are ended. */
  readonly pauses: { readonly ms: number; readonly end: () => void }[] = [];
  readonly told: string[] = [];
  nowMs = 0;
  notifier!: MqttNotifier;

  static async start(options: Partial<MqttNotifierOptions> = {}): Promise<Bench> {
    const bench = new Bench();
    bench.notifier = await MqttNotifier.start({
      broker: bench.broker,
      topic: "ota",
      observer: {
        mqttConnected: (isConnected) => bench.told.push(`connected ${isConnected}`),
        mqttPublished: (result) => bench.told.push(result),
        mqttPending: (count) => bench.told.push(`pending ${count}`),
      },
      refresh: async (device) => {
        bench.refreshed.push(device);
        await Promise.resolve();
        if (bench.newest instanceof Error) throw bench.newest;
        // As the manager does.
        void bench.notifier.announce(device, bench.newest);
        return bench.newest;
      },
      now: () => bench.nowMs,
      pause: (ms, signal) =>
        new Promise((resolve) => {
          bench.pauses.push({ ms, end: resolve });
          signal.addEventListener("abort", () => resolve());
        }),
      ...options,
    });
    return bench;
  }

  /** Connects, and waits until the retained messages are known. */
  async connect(): Promise<void> {
    const before = this.broker.published.length;
    this.broker.connect();
    await this.broker.until((published) => published.length > before);
    await this.idle();
  }

  /** Lets all go on that waits for nothing but its turn. */
  async idle(): Promise<void> {
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    await new Promise((resolve) => setTimeout(resolve));
  }

  get versions(): string[] {
    return this.broker.versions("ota/pump");
  }
}

function retain(bench: Bench, firmware: AnnouncedFirmware): void {
  bench.broker.receive("ota/pump", formatMessage("pump", firmware));
}

Deno.test("MqttNotifier publishes what the broker does not have, and each only once", async () => {
  const bench = await Bench.start();
  await bench.connect();
  for (const firmware of [V1, V1, V2, V2, V1]) {
    await bench.notifier.announce("pump", firmware);
    await bench.idle();
  }
  assert.deepEqual(bench.versions, ["1.0.0", "1.1.0", "1.0.0"]);
  assert.deepEqual(bench.refreshed, []);
});

Deno.test("MqttNotifier publishes another digest of the same version", async () => {
  const bench = await Bench.start();
  await bench.connect();
  await bench.notifier.announce("pump", V1);
  await bench.notifier.announce("pump", { ...V1, digest: V2.digest });
  await bench.idle();
  assert.deepEqual(bench.versions, ["1.0.0", "1.0.0"]);
});

Deno.test("MqttNotifier publishes nothing that is retained, told before or after", async () => {
  const bench = await Bench.start();
  retain(bench, V1);
  await bench.notifier.announce("pump", V1);
  await bench.connect();
  await bench.notifier.announce("pump", V1, { isConfirmed: false });
  await bench.idle();
  assert.deepEqual(bench.versions, []);
  assert.equal(bench.told.at(-1), "pending 0");
  bench.broker.receive("ota/lamp", formatMessage("lamp", V1));
  const { length } = bench.told;
  await bench.notifier.announce("lamp", V1);
  assert.equal(bench.told.length, length, "not even for a moment it waits");
});

Deno.test("MqttNotifier publishes nothing before it knows again what is retained", async () => {
  const bench = await Bench.start();
  await bench.connect();
  await bench.notifier.announce("pump", V1);
  await bench.idle();
  bench.broker.disconnect();
  retain(bench, V2);
  // It takes its time.
  bench.broker.delivers = false;
  bench.broker.connect();
  await bench.notifier.announce("pump", V2);
  await bench.idle();
  assert.deepEqual(bench.versions, ["1.0.0"]);
});

Deno.test("MqttNotifier does not answer what was said of its presence before", async () => {
  const bench = await Bench.start();
  bench.broker.receive("ota/$state", "offline");
  await bench.connect();
  assert.deepEqual(bench.broker.published, [{ topic: "ota/$state", payload: "online" }]);
});

Deno.test("MqttNotifier takes a message of the Rust OtaFlux for another, since it lacks so much", async () => {
  const bench = await Bench.start();
  bench.broker.receive("ota/pump", `{"version":"1.0.0","size":100}`);
  await bench.connect();
  await bench.notifier.announce("pump", V1);
  await bench.idle();
  assert.deepEqual(bench.versions, ["1.0.0"]);
  assert.deepEqual(bench.refreshed, []);
});

Deno.test("MqttNotifier publishes for a webhook what was published, but not twice for one push", async () => {
  const bench = await Bench.start();
  await bench.connect();
  await bench.notifier.announce("pump", V1);
  await bench.notifier.announce("pump", V1, { always: true });
  await bench.idle();
  await bench.notifier.announce("pump", V1, { always: true });
  await bench.idle();
  assert.deepEqual(bench.versions, ["1.0.0"]);
  bench.nowMs += 2000;
  await bench.notifier.announce("pump", V1, { always: true });
  await bench.idle();
  assert.deepEqual(bench.versions, ["1.0.0", "1.0.0"]);
});

Deno.test("MqttNotifier keeps the newest while there is no broker, and tells how many wait", async () => {
  const bench = await Bench.start();
  for (const firmware of [V1, V2, V3]) await bench.notifier.announce("pump", firmware);
  await bench.notifier.announce("lamp", V1);
  assert.deepEqual(bench.told.slice(-1), ["pending 2"]);
  await bench.connect();
  await bench.broker.until((published) => published.length === 3);
  await bench.idle();
  assert.deepEqual(bench.versions, ["1.2.0"]);
  assert.deepEqual(bench.told.slice(-1), ["pending 0"]);
});

Deno.test("MqttNotifier publishes again what was not confirmed", async () => {
  const bench = await Bench.start();
  await bench.connect();
  bench.broker.confirms = false;
  await bench.notifier.announce("pump", V1);
  await bench.idle();
  await bench.notifier.announce("pump", V2);
  bench.broker.disconnect();
  await bench.idle();
  assert.ok(bench.told.includes("failed"));
  bench.broker.confirms = true;
  await bench.connect();
  assert.deepEqual(bench.versions, ["1.1.0"]);
});

Deno.test("MqttNotifier publishes again what a broker has lost that it had confirmed", async () => {
  const bench = await Bench.start();
  await bench.connect();
  await bench.notifier.announce("pump", V1);
  await bench.idle();
  bench.broker.disconnect();
  await bench.connect();
  assert.deepEqual(bench.versions, ["1.0.0"]);
  bench.broker.disconnect();
  bench.broker.forget();
  await bench.connect();
  assert.deepEqual(bench.versions, ["1.0.0", "1.0.0"]);
});

Deno.test("MqttNotifier publishes again what a broker has lost that is slow to tell what it has", async () => {
  const bench = await Bench.start();
  await bench.connect();
  await bench.notifier.announce("pump", V1);
  await bench.idle();
  bench.broker.disconnect();
  bench.broker.forget();
  bench.broker.delivers = false;
  await bench.connect();
  bench.pauses.at(-1)?.end();
  await bench.idle();
  assert.deepEqual(bench.versions, ["1.0.0"], "what the broker has is not known");
  bench.broker.delivers = true;
  bench.broker.receive("ota/$state", "online");
  await bench.idle();
  assert.deepEqual(bench.versions, ["1.0.0", "1.0.0"]);
});

Deno.test("MqttNotifier asks the source before it restores what it knows: others may know more", async () => {
  const bench = await Bench.start();
  await bench.connect();
  await bench.notifier.announce("pump", V1);
  await bench.idle();
  bench.broker.disconnect();
  bench.broker.forget();
  bench.newest = V2;
  await bench.connect();
  assert.deepEqual(bench.versions, ["1.0.0", "1.1.0"]);
});

Deno.test("MqttNotifier publishes what it knows where it replaces nothing and the source is away", async () => {
  const bench = await Bench.start();
  await bench.connect();
  bench.newest = new ServiceError("source-unavailable", "away");
  await bench.notifier.announce("pump", V1, { isConfirmed: false });
  await bench.idle();
  assert.deepEqual(bench.refreshed, ["pump"]);
  assert.deepEqual(bench.versions, ["1.0.0"]);
});

Deno.test("MqttNotifier tries again what the broker refuses, later, and says so", async () => {
  const bench = await Bench.start();
  await bench.connect();
  bench.broker.refusal = new Error("Not authorized");
  using logs = new CapturedLogs();
  await bench.notifier.announce("pump", V1);
  await bench.idle();
  assert.deepEqual(logs.messages("warn"), [
    "Notification cannot be published, trying again later",
  ]);
  bench.broker.refusal = undefined;
  const pause = bench.pauses.at(-1);
  assert.equal(pause?.ms, 10_000);
  pause.end();
  await bench.idle();
  assert.deepEqual(bench.versions, ["1.0.0"]);
});

Deno.test("MqttNotifier does not wait for ever for a broker that delivers nothing to it", async () => {
  const bench = await Bench.start();
  bench.broker.delivers = false;
  await bench.notifier.announce("pump", V1);
  await bench.connect();
  assert.deepEqual(bench.versions, []);
  const pause = bench.pauses.at(-1);
  assert.equal(pause?.ms, 2000);
  pause.end();
  await bench.idle();
  assert.deepEqual(bench.versions, ["1.0.0"]);
});

Deno.test("MqttNotifier asks the source before it replaces what others have published", async () => {
  const bench = await Bench.start();
  await bench.notifier.announce("pump", V1, { isConfirmed: false });
  retain(bench, V2);
  bench.newest = V2;
  await bench.connect();
  await bench.idle();
  assert.deepEqual(bench.refreshed, ["pump"]);
  assert.deepEqual(bench.versions, []);
  assert.equal(bench.told.at(-1), "pending 0");
});

Deno.test("MqttNotifier makes up for what an earlier process saved and did not publish", async () => {
  const bench = await Bench.start();
  retain(bench, V1);
  await bench.connect();
  bench.newest = V2;
  await bench.notifier.announce("pump", V2, { isConfirmed: false });
  await bench.idle();
  assert.deepEqual(bench.refreshed, ["pump"]);
  assert.deepEqual(bench.versions, ["1.1.0"]);
});

Deno.test("MqttNotifier waits for a source that cannot say which is newer", async () => {
  const bench = await Bench.start();
  retain(bench, V1);
  await bench.connect();
  bench.newest = new ServiceError("source-unavailable", "away");
  using logs = new CapturedLogs();
  await bench.notifier.announce("pump", V2, { isConfirmed: false });
  await bench.idle();
  assert.deepEqual(bench.versions, []);
  assert.deepEqual(logs.messages("warn"), []);
  bench.newest = V3;
  bench.pauses.at(-1)?.end();
  await bench.idle();
  assert.deepEqual(bench.versions, ["1.2.0"]);
});

Deno.test("MqttNotifier drops what the source does not know any more", async () => {
  const bench = await Bench.start();
  retain(bench, V1);
  await bench.connect();
  bench.newest = new ServiceError("firmware-unknown", "gone");
  await bench.notifier.announce("pump", V2, { isConfirmed: false });
  await bench.idle();
  assert.deepEqual(bench.versions, []);
  assert.equal(bench.told.at(-1), "pending 0");
});

Deno.test("MqttNotifier asks the source when another replica announces what we do not have", async () => {
  const bench = await Bench.start();
  await bench.connect();
  await bench.notifier.announce("pump", V1);
  await bench.idle();
  bench.newest = V2;
  retain(bench, V2);
  await bench.idle();
  assert.deepEqual(bench.refreshed, ["pump"]);
  assert.deepEqual(bench.versions, ["1.0.0"]);
});

Deno.test("MqttNotifier does not answer a replica whose registry lags behind", async () => {
  const bench = await Bench.start();
  await bench.connect();
  await bench.notifier.announce("pump", V2);
  await bench.idle();
  bench.newest = V2;
  retain(bench, V1);
  await bench.idle();
  assert.deepEqual(bench.refreshed, ["pump"]);
  assert.deepEqual(bench.versions, ["1.1.0"]);
});

Deno.test("MqttNotifier hears nothing in what is the same, unknown, or no message", async () => {
  const bench = await Bench.start();
  await bench.connect();
  await bench.notifier.announce("pump", V1);
  await bench.idle();
  retain(bench, V1);
  bench.broker.receive("ota/pump", `{"version":"1.0.0","size":100}`);
  bench.broker.receive("ota/pump", "nonsense");
  bench.broker.receive("ota/lamp", formatMessage("lamp", V2));
  bench.broker.receive("ota/$other", formatMessage("lamp", V2));
  await bench.idle();
  assert.deepEqual(bench.refreshed, []);
});

Deno.test("MqttNotifier says that it is there when another replica says goodbye, and no more at its end", async () => {
  const bench = await Bench.start();
  await bench.connect();
  const states = (): string[] =>
    bench.broker.published.filter(({ topic }) => topic === "ota/$state").map((it) => it.payload);
  bench.broker.receive("ota/$state", "offline");
  await bench.idle();
  assert.deepEqual(states(), ["online", "online"]);
  await bench.notifier.close();
  assert.deepEqual(states(), ["online", "online", "offline"]);
  assert.ok(bench.broker.isClosed);
});

Deno.test("MqttNotifier publishes at its end what is under way", async () => {
  const bench = await Bench.start();
  await bench.connect();
  void bench.notifier.announce("pump", V1, { isConfirmed: false });
  await bench.notifier.close();
  assert.deepEqual(bench.broker.published.slice(1).map(({ topic }) => topic), [
    "ota/pump",
    "ota/$state",
  ]);
});

Deno.test("MqttNotifier publishes nothing behind its end, though it learns only then what is retained", async () => {
  const bench = await Bench.start();
  bench.broker.delivers = false;
  await bench.notifier.announce("pump", V1);
  await bench.connect();
  await bench.notifier.close();
  for (const { end } of bench.pauses) end();
  await bench.idle();
  const said = bench.broker.published.map(({ payload }) => payload);
  assert.deepEqual(said, ["online", "offline"]);
});

Deno.test("MqttNotifier tells Home Assistant once of each device, and which version it runs", async () => {
  const bench = await Bench.start({ homeAssistantPrefix: "ha" });
  retain(bench, V1);
  await bench.connect();
  bench.notifier.polled("pump", { running: "0.9.0" });
  await bench.idle();
  for (const firmware of [V1, V2]) {
    await bench.notifier.announce("pump", firmware);
    await bench.idle();
  }
  await bench.notifier.announce("lamp", V1);
  await bench.idle();
  assert.deepEqual(bench.broker.published.slice(1).map(({ topic }) => topic), [
    "ha/update/otaflux_pump/config",
    "ota/$installed/pump",
    "ota/pump",
    "ota/lamp",
    "ha/update/otaflux_lamp/config",
  ]);
  assert.equal(bench.broker.published[2]?.payload, "0.9.0");
});

Deno.test("MqttNotifier.state tells whether the broker is connected, and how many wait for it", async () => {
  const bench = await Bench.start();
  await bench.notifier.announce("pump", V1);
  assert.deepEqual(bench.notifier.state, { isConnected: false, pending: 1, outage: undefined });
  await bench.connect();
  assert.deepEqual(bench.notifier.state, { isConnected: true, pending: 0, outage: undefined });
  bench.broker.disconnect();
  assert.equal(bench.notifier.state.isConnected, false);
});
