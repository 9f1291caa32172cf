/**
 * From a push to the message at a subscribed device, part by part.
 *
 * @module
 */

import { FirmwareManager } from "../src/firmware/manager.ts";
import type { FirmwareSource } from "../src/firmware/firmware.ts";
import { MqttBroker } from "../src/notifier/broker.ts";
import { MqttNotifier } from "../src/notifier/notifier.ts";
import { RegistryClient } from "../src/registry/client.ts";
import { createTransport } from "../src/registry/transport.ts";
import { DiskStore } from "../src/store/disk.ts";
import { orasArtifact } from "../tests/helpers/artifacts.ts";
import { FakeRegistry } from "../tests/helpers/fake_registry.ts";
import { firmwareBytes } from "../tests/helpers/firmware_bytes.ts";
import { Mosquitto, mosquittoTools } from "../tests/helpers/mosquitto.ts";

const PUSHES = 200;
const FIRMWARE_BYTES = 1024 * 1024;
const DEVICE = "bench";
const TOPIC = "ota";

/** Milliseconds of one push. */
interface Share {
  readonly total: number;
  readonly registry: number;
  readonly verification: number;
  readonly broker: number;
}

/** What is measured. */
export interface AnnouncementFigures {
  /** Milliseconds from the push to the message: the median, and of one in a hundred. */
  readonly p50: number;
  readonly p99: number;
  /** Parts of all the time, from 0 to 1. */
  readonly shares: Omit<Share, "total">;
}

/**
 * Pushes one version after the other to a device whose subscriber waits for each. The check is
 * started as a webhook starts it; the registry, the service and the subscriber share a thread, the
 * broker is mosquitto.
 *
 * @throws {Error} There is no mosquitto; the message says why.
 */
export async function measureAnnouncements(folder: string): Promise<AnnouncementFigures> {
  const tools = await mosquittoTools();
  if ("skip" in tools) throw new Error(tools.skip);
  await using mosquitto = await Mosquitto.start(tools);
  await using registry = new FakeRegistry();
  using store = await DiskStore.open({ directory: `${folder}/announce`, maxBytes: 2 ** 30 });
  const url = new URL(registry.origin);
  const fetch = createTransport({
    ...{ registry: url, credentials: undefined, caCertificates: [] },
    ...{ idleMs: 60_000, userAgent: "bench" },
  });
  const watch = new Stopwatch();
  const source = watched(new RegistryClient({ url, repositoryPrefix: "", fetch }), watch);
  const nothing = (): void => {};
  const notifier = await MqttNotifier.start({
    broker: brokerOf(mosquitto, "bench-service"),
    topic: TOPIC,
    refresh: (device) => manager.refresh(device),
    observer: { mqttConnected: nothing, mqttPublished: nothing, mqttPending: nothing },
    directory: `${folder}/announce/.otaflux/notifications`,
  });
  let announcedAtMs = 0;
  const manager = new FirmwareManager({
    ...{ source, store, cacheSize: 100, refreshIntervalMs: 86_400_000, trackForMs: 0 },
    ...{ unknownForMs: 0, concurrency: 8, holdMs: 0, maxFirmwareBytes: 2 ** 30 },
    observer: {
      ...{ hit: nothing, miss: nothing, entries: nothing, sourceUp: nothing },
      ...{ verified: nothing, checkFailed: nothing },
    },
    notifier: {
      announce: (device, firmware, options) => {
        announcedAtMs = performance.now();
        return notifier.announce(device, firmware, options);
      },
    },
  });
  const subscriber = await subscribe(mosquitto);
  const shares: Share[] = [];
  for (let push = 0; push < PUSHES; push++) {
    const version = `1.0.${push}`;
    const artifact = orasArtifact(firmwareBytes(FIRMWARE_BYTES, push));
    watch.reset();
    const arrived = subscriber.next(version);
    const startedAtMs = performance.now();
    registry.push(DEVICE, version, artifact);
    await manager.refresh(DEVICE);
    await arrived;
    const endedAtMs = performance.now();
    registry.deleteTag(DEVICE, version);
    shares.push({
      total: endedAtMs - startedAtMs,
      registry: watch.elapsedMs,
      verification: announcedAtMs - startedAtMs - watch.elapsedMs,
      broker: endedAtMs - announcedAtMs,
    });
  }
  await notifier.close();
  await subscriber.broker.close();
  return figuresOf(shares);
}

function figuresOf(shares: readonly Share[]): AnnouncementFigures {
  const totals = shares.map(({ total }) => total).toSorted((one, other) => one - other);
  const sum = (part: keyof Share): number => shares.reduce((all, share) => all + share[part], 0);
  const shareOf = (part: keyof Share): number => sum(part) / sum("total");
  return {
    p50: totals[Math.floor(totals.length * 0.5)] ?? NaN,
    p99: totals[Math.ceil(totals.length * 0.99) - 1] ?? NaN,
    shares: {
      registry: shareOf("registry"),
      verification: shareOf("verification"),
      broker: shareOf("broker"),
    },
  };
}

/** Adds up how long something was waited for. */
class Stopwatch {
  elapsedMs = 0;

  reset(): void {
    this.elapsedMs = 0;
  }

  async time<T>(work: Promise<T>): Promise<T> {
    const startedAtMs = performance.now();
    try {
      return await work;
    } finally {
      this.elapsedMs += performance.now() - startedAtMs;
    }
  }
}

/** The source, with all that is waited for at the registry on the watch, the bytes of blobs too. */
function watched(source: FirmwareSource, watch: Stopwatch): FirmwareSource {
  return {
    listTags: (device) => watch.time(source.listTags(device)),
    peekDigest: (device, tag) => watch.time(source.peekDigest(device, tag)),
    fetchManifest: (device, reference) => watch.time(source.fetchManifest(device, reference)),
    ping: () => watch.time(source.ping()),
    openBlob: async (device, blob) => {
      const reader = (await watch.time(source.openBlob(device, blob))).getReader();
      return new ReadableStream({
        pull: async (controller) => {
          const { done, value } = await watch.time(reader.read());
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: (reason) => reader.cancel(reason),
      }, { highWaterMark: 0 });
    },
  };
}

function brokerOf({ port }: Mosquitto, clientId: string): MqttBroker {
  return new MqttBroker({
    address: { protocol: "mqtt", hostname: "127.0.0.1", port, path: "" },
    tls: { caCertificates: [], client: undefined },
    ...{ credentials: undefined, clientId, protocol: 5, willTopic: `will/${clientId}` },
  });
}

/** A device that is told of versions. */
interface Device {
  readonly broker: MqttBroker;
  next(version: string): Promise<void>;
}

async function subscribe(mosquitto: Mosquitto): Promise<Device> {
  const broker = brokerOf(mosquitto, "bench-device");
  const waiting = new Map<string, () => void>();
  await new Promise<void>((resolve, reject) =>
    broker.start({
      connected: (session) => void session.subscribe(`${TOPIC}/${DEVICE}`).then(resolve, reject),
      disconnected: () => {},
      received: ({ payload }) =>
        waiting.get(JSON.parse(new TextDecoder().decode(payload)).version)?.(),
    })
  );
  return {
    broker,
    next: (version) => new Promise((resolve) => waiting.set(version, resolve)),
  };
}
