import assert from "node:assert/strict";
import { ServiceError } from "../../src/errors.ts";
import { Announced } from "../../src/notifier/announced.ts";
import { Deliveries } from "../../src/notifier/deliveries.ts";
import type { HomeAssistant } from "../../src/notifier/home_assistant.ts";
import type { AnnouncedFirmware } from "../../src/notifier/message.ts";
import { type Notification, Outbox } from "../../src/notifier/outbox.ts";
import type { BrokerSession } from "../../src/notifier/session.ts";
import { Topics } from "../../src/notifier/topics.ts";
import { recordOf } from "../helpers/disk.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { CapturedLogs } from "../helpers/logs.ts";

const [V1, V2, V3] = ["1.0.0", "1.1.0", "1.2.0"].map((version, index) =>
  recordOf(firmwareBytes(100, index), version).firmware
) as unknown as readonly [AnnouncedFirmware, AnnouncedFirmware, AnnouncedFirmware];

/** A publication that the broker has not confirmed yet. */
interface Publication extends PromiseWithResolvers<void> {
  /** The topic's end, and the version. */
  readonly what: string;
}

/** Deliveries to a broker that confirms what it is told to, at a source of the test's. */
class Bench {
  readonly announced = new Announced(() => 0);
  readonly deliveries: Deliveries;
  /** All publications so far. */
  readonly publications: Publication[] = [];
  /** What was told for the metrics. */
  readonly told: string[] = [];
  /** Devices that the source was asked for. */
  readonly refreshed: string[] = [];
  /** What the source says is the newest. */
  newest: AnnouncedFirmware | Error = V1;
  /** How long it is waited, in milliseconds, and what ends the waiting. */
  readonly pauses: { readonly ms: number; readonly end: () => void }[] = [];

  constructor(outbox: Outbox, homeAssistant?: Pick<HomeAssistant, "knows" | "introduce">) {
    this.deliveries = new Deliveries({
      outbox,
      announced: this.announced,
      topics: new Topics("ota"),
      homeAssistant,
      refresh: async (device) => {
        this.refreshed.push(device);
        await Promise.resolve();
        if (this.newest instanceof Error) throw this.newest;
        return this.newest;
      },
      observer: {
        mqttPublished: (result) => this.told.push(result),
        mqttPending: (count) => this.told.push(`${count} pending`),
      },
      pause: (ms) => new Promise((resolve) => this.pauses.push({ ms, end: resolve })),
    });
  }

  static async open(
    homeAssistant?: Pick<HomeAssistant, "knows" | "introduce">,
  ): Promise<Bench> {
    return new Bench(await Outbox.open(), homeAssistant);
  }

  /** A connection that takes so many messages at once. */
  session(inFlight = 10): BrokerSession {
    return {
      inFlight,
      publish: (topic, payload) => {
        const what = `${topic.slice("ota/".length)} ${JSON.parse(payload).version}`;
        const publication = { what, ...Promise.withResolvers<void>() };
        this.publications.push(publication);
        return publication.promise;
      },
      subscribe: () => Promise.resolve(),
    };
  }

  put(device: string, firmware: AnnouncedFirmware, more: Partial<Notification> = {}): void {
    const common = { always: false, isConfirmed: true, replaces: undefined };
    void this.deliveries.put({ ...common, device, firmware, ...more });
  }

  /** What was published so far. */
  get published(): readonly string[] {
    return this.publications.map(({ what }) => what);
  }

  /** Confirms all that is being published now, and lets all go on that waits for nothing else. */
  async confirm(): Promise<void> {
    await idle();
    for (const { resolve } of this.publications) resolve();
    await idle();
  }
}

/** Lets all go on that waits for nothing but its turn. */
async function idle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
}

Deno.test("Deliveries publishes what waited for the connection, and counts it", async () => {
  const bench = await Bench.open();
  bench.put("pump", V1);
  bench.put("lamp", V2);
  await idle();
  assert.deepEqual(bench.published, []);
  bench.deliveries.begin(bench.session());
  await bench.confirm();
  assert.deepEqual(bench.published, ["pump 1.0.0", "lamp 1.1.0"]);
  const wanted = ["1 pending", "2 pending", "confirmed", "1 pending", "confirmed", "0 pending"];
  assert.deepEqual(bench.told.toSorted(), wanted.toSorted());
  assert.equal(bench.told.at(-1), "0 pending");
  bench.put("pump", V1);
  await bench.confirm();
  assert.equal(bench.published.length, 2, "what was confirmed is what the broker has");
});

Deno.test("Deliveries tells a device one thing after the other, of what waits the newest only", async () => {
  const bench = await Bench.open();
  bench.deliveries.begin(bench.session());
  bench.put("pump", V1);
  await idle();
  bench.put("pump", V2, { replaces: V1 });
  bench.put("pump", V3, { replaces: V1 });
  await idle();
  assert.deepEqual(bench.published, ["pump 1.0.0"]);
  await bench.confirm();
  assert.deepEqual(bench.published, ["pump 1.0.0", "pump 1.2.0"]);
  await bench.confirm();
  assert.deepEqual(bench.refreshed, []);
});

Deno.test("Deliveries has no more unconfirmed at once than the connection takes", async () => {
  const bench = await Bench.open();
  for (const device of ["a", "b", "c", "d"]) bench.put(device, V1);
  bench.deliveries.begin(bench.session(2));
  await idle();
  assert.equal(bench.published.length, 2);
  bench.publications[0]?.resolve();
  await idle();
  assert.equal(bench.published.length, 3);
  for (let round = 0; round < 2; round++) await bench.confirm();
  assert.equal(bench.published.length, 4);
});

Deno.test("Deliveries publishes what the broker has only where it is to be said again", async () => {
  const bench = await Bench.open();
  bench.announced.heard("pump", V1);
  bench.deliveries.begin(bench.session());
  bench.put("pump", V1, { replaces: V1 });
  await idle();
  assert.deepEqual([bench.published, bench.told.at(-1)], [[], "0 pending"]);
  bench.put("pump", V1, { replaces: V1, always: true });
  await bench.confirm();
  assert.deepEqual(bench.published, ["pump 1.0.0"]);
});

Deno.test("Deliveries asks the source where the broker has what the notification knows nothing of", async () => {
  const bench = await Bench.open();
  bench.announced.heard("pump", V3);
  bench.newest = V2;
  bench.put("pump", V1, { replaces: undefined });
  bench.deliveries.begin(bench.session());
  await bench.confirm();
  assert.deepEqual(bench.refreshed, ["pump"]);
  assert.deepEqual(bench.published, ["pump 1.1.0"]);
});

Deno.test("Deliveries publishes what comes while the source is asked about what was before", async () => {
  const bench = await Bench.open();
  bench.announced.heard("pump", V3);
  bench.put("pump", V1, { replaces: undefined });
  bench.deliveries.begin(bench.session());
  bench.put("pump", V2, { replaces: V3 });
  await bench.confirm();
  assert.deepEqual(bench.refreshed, ["pump"]);
  assert.deepEqual(bench.published, ["pump 1.1.0"]);
});

Deno.test("Deliveries drops a notification of a device that the source no longer knows", async () => {
  const bench = await Bench.open();
  bench.newest = new ServiceError("firmware-unknown", "No firmware");
  bench.put("pump", V1, { isConfirmed: false });
  bench.deliveries.begin(bench.session());
  await bench.confirm();
  assert.deepEqual([bench.published, bench.told.at(-1)], [[], "0 pending"]);
});

Deno.test("Deliveries publishes unconfirmed while the source is away, in the place of nothing only", async () => {
  const bench = await Bench.open();
  bench.newest = new ServiceError("source-unavailable", "Away");
  bench.announced.heard("lamp", V2);
  for (const device of ["pump", "lamp"]) bench.put(device, V1, { isConfirmed: false });
  bench.deliveries.begin(bench.session());
  await bench.confirm();
  assert.deepEqual(bench.published, ["pump 1.0.0"]);
  assert.deepEqual(bench.pauses.map(({ ms }) => ms), [10_000]);
  bench.newest = V3;
  bench.pauses[0]?.end();
  await bench.confirm();
  assert.deepEqual(bench.published, ["pump 1.0.0", "lamp 1.2.0"]);
});

Deno.test("Deliveries tries again, after a rest, what the broker refuses", async () => {
  const bench = await Bench.open();
  bench.deliveries.begin(bench.session());
  bench.put("pump", V1);
  await idle();
  bench.publications[0]?.reject(new Error("Not authorized"));
  await idle();
  assert.deepEqual(bench.told, ["1 pending", "failed"]);
  assert.deepEqual([bench.published.length, bench.pauses.length], [1, 1]);
  bench.pauses[0]?.end();
  await bench.confirm();
  assert.deepEqual(bench.told.slice(2), ["confirmed", "0 pending"]);
});

Deno.test("Deliveries says once why the broker refuses, of any number of devices, and rests longer", async () => {
  const bench = await Bench.open();
  using logs = new CapturedLogs();
  bench.deliveries.begin(bench.session());
  for (const device of ["pump", "lamp"]) bench.put(device, V1);
  for (let round = 0; round < 5; round++) {
    await idle();
    for (const { reject } of bench.publications) reject(new Error("Not authorized"));
    await idle();
    assert.equal(bench.pauses.length, 2 * (round + 1));
    for (const { end } of bench.pauses) end();
  }
  assert.deepEqual(
    bench.pauses.filter((_, index) => index % 2 === 0).map(({ ms }) => ms),
    [10_000, 20_000, 40_000, 60_000, 60_000],
  );
  const said = ["Notification cannot be published, trying again later"];
  assert.deepEqual(logs.messages("warn"), said);
  assert.match(String(logs.records.find(({ level }) => level === "warn")?.next), /access list/);
  await bench.confirm();
  // Once all is well again, what goes wrong is news.
  bench.put("pump", V2, { replaces: V1 });
  await idle();
  bench.publications.at(-1)?.reject(new Error("Not authorized"));
  await idle();
  assert.deepEqual(logs.messages("warn"), [...said, ...said]);
});

Deno.test("Deliveries tells a device once where Home Assistant cannot be told", async () => {
  const bench = await Bench.open({
    knows: () => false,
    introduce: () => Promise.reject(new Error("Not authorized")),
  });
  bench.deliveries.begin(bench.session());
  bench.put("pump", V1, { always: true });
  for (let round = 0; round < 3; round++) {
    await bench.confirm();
    for (const { end } of bench.pauses) end();
  }
  await bench.confirm();
  assert.equal(bench.pauses.length, 4, "it is tried again");
  assert.deepEqual(bench.published, ["pump 1.0.0"]);
});

Deno.test("Deliveries keeps what a lost connection took along for the next one, without a rest", async () => {
  const bench = await Bench.open();
  bench.deliveries.begin(bench.session());
  bench.put("pump", V1);
  await idle();
  bench.deliveries.end();
  bench.publications[0]?.reject(new Error("lost"));
  await bench.deliveries.settled();
  assert.deepEqual([bench.told.at(-1), bench.pauses], ["failed", []]);
  bench.deliveries.begin(bench.session());
  await bench.confirm();
  assert.deepEqual(bench.published, ["pump 1.0.0", "pump 1.0.0"]);
});

Deno.test("Deliveries.settled() waits for what is being delivered", async () => {
  const bench = await Bench.open();
  bench.deliveries.begin(bench.session());
  bench.put("pump", V1);
  let isSettled = false;
  const settled = bench.deliveries.settled().then(() => isSettled = true);
  await idle();
  assert(!isSettled);
  await bench.confirm();
  await settled;
});

Deno.test("Deliveries.once() does something with the connection in its turn, and nothing without one", async () => {
  const bench = await Bench.open();
  const done: string[] = [];
  const once = (name: string): Promise<void> =>
    bench.deliveries.once(() => Promise.resolve(void done.push(name)));
  await once("without");
  bench.deliveries.begin(bench.session(1));
  bench.put("pump", V1);
  const after = once("after");
  await idle();
  assert.deepEqual(done, []);
  await bench.confirm();
  await after;
  assert.deepEqual(done, ["after"]);
});
