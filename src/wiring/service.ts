/**
 * The service, put together.
 *
 * @module
 */

import { Admission } from "../api/admission.ts";
import { Downloads } from "../api/downloads.ts";
import { DeviceTokens, TokenFileError } from "../api/tokens.ts";
import type { Config } from "../config/config.ts";
import { describeError } from "../errors.ts";
import { EventQueue } from "../events/queue.ts";
import { FirmwareManager } from "../firmware/manager.ts";
import { logger } from "../log.ts";
import { Metrics } from "../metrics/metrics.ts";
import type { MqttNotifier } from "../notifier/notifier.ts";
import { keepOnly, type NeededAccess } from "../permissions.ts";
import { CannotStart } from "./cannot_start.ts";
import { deviceHandler, operatorHandler, type Parts, type Program } from "./handlers.ts";
import { createNotifier } from "./notifier.ts";
import { createSource, createVerifier } from "./source.ts";
import { createGuard, createStore, ownFolder } from "./storage.ts";

const log = logger("main");

/** How long a device is served what it was told of, although there is something newer. */
const ANNOUNCEMENT_HOLD_MS = 60_000;

/** Serves devices from the moment that somebody listens for it. */
export class Service {
  /** Answers devices and registries. */
  readonly forDevices: Deno.ServeHandler;
  /** Answers operators. */
  readonly forOperators: Deno.ServeHandler;
  /** Every series. */
  readonly metrics: Metrics;
  readonly #parts: Parts;

  private constructor(config: Config, parts: Parts, program: Program) {
    this.metrics = parts.metrics;
    this.#parts = parts;
    this.forDevices = deviceHandler(config, parts, ANNOUNCEMENT_HOLD_MS);
    this.forOperators = operatorHandler(config, parts, program);
  }

  /**
   * Puts all parts together, and gives up what none of them needs.
   *
   * @param config What is to be done.
   * @param program What runs.
   * @returns The service.
   * @throws {CannotStart} A part that is wanted cannot be had.
   */
  static async create(config: Config, program: Program): Promise<Service> {
    const metrics = new Metrics();
    metrics.build.set(program);
    const { version } = program;
    const source = createSource(config, { version, observer: metrics.registry });
    const verifier = await createVerifier(config, source);
    const tokens = await readDeviceTokens(config);
    keepOnly(accessOf(config));
    const store = await createStore(config, metrics.store);
    metrics.store.observe({ bytes: () => store.bytes, maxBytes: config.cacheMaxBytes });
    const notifier = await createNotifier(config, {
      observer: metrics.mqtt,
      refresh: (device) => manager.refresh(device),
    });
    const manager = new FirmwareManager({
      ...{ source, verifier, store, notifier },
      observer: metrics.firmware,
      cacheSize: config.cacheSize,
      refreshIntervalMs: config.refreshIntervalMs,
      trackForMs: config.trackForMs,
      unknownForMs: config.unknownForMs,
      concurrency: config.concurrency,
      holdMs: ANNOUNCEMENT_HOLD_MS,
      maxFirmwareBytes: config.maxFirmwareBytes,
      guard: createGuard(config),
      defaults: config.selection,
    });
    metrics.firmware.observe(manager.overview);
    const events = await createEvents(config, { manager, notifier });
    const downloads = createDownloads(config, metrics);
    const parts = { manager, store, events, notifier, tokens, downloads, metrics };
    return new Service(config, parts, program);
  }

  /** Begins with what is done without a request. */
  start(): void {
    this.#parts.manager.start();
    this.#parts.events.start();
  }

  /** Begins with nothing more that is done without a request. */
  stop(): void {
    this.#parts.manager.stop();
    this.#parts.events.stop();
  }

  /**
   * Tells devices what is still to be told, and says goodbye to the broker.
   *
   * @returns Settles, and never fails, within two seconds.
   */
  async close(): Promise<void> {
    await this.#parts.notifier?.close();
  }

  /** Reads the device tokens again; undefined where there are none. */
  get reload(): (() => Promise<void>) | undefined {
    const { tokens } = this.#parts;
    return tokens && ((): Promise<void> => tokens.reload());
  }
}

/** What is read and written once all that was configured has been read. */
function accessOf({ source, cacheDirectory, edge, mqtt }: Config): NeededAccess {
  const isReadAgain = edge.tls !== undefined || edge.deviceTokenFile !== undefined ||
    source.kind === "layout" || source.passwordFile !== undefined ||
    mqtt?.passwordFile !== undefined;
  return {
    read: cacheDirectory !== undefined || isReadAgain,
    write: cacheDirectory !== undefined,
  };
}

async function createEvents(
  { cacheDirectory, concurrency }: Config,
  { manager, notifier }: {
    readonly manager: FirmwareManager;
    readonly notifier: MqttNotifier | undefined;
  },
): Promise<EventQueue> {
  try {
    return await EventQueue.open({
      directory: ownFolder(cacheDirectory, "events"),
      handle: async (device) => {
        const firmware = await manager.refresh(device);
        await notifier?.announce(device, firmware, { always: true });
      },
      // However many events there are, a device that waits does not stand in line behind them.
      concurrency: Math.max(1, concurrency - 1),
    });
  } catch (error) {
    throw new CannotStart(`${describeError(error)}; see --cache-dir`);
  }
}

async function readDeviceTokens({ edge }: Config): Promise<DeviceTokens | undefined> {
  if (edge.deviceTokenFile === undefined) return undefined;
  try {
    const tokens = await DeviceTokens.read(edge.deviceTokenFile);
    if (edge.tls === undefined) {
      log.warn("Device tokens cross the network in clear, unless a proxy in front has TLS");
    }
    return tokens;
  } catch (error) {
    if (!(error instanceof TokenFileError)) throw error;
    throw new CannotStart(`--device-token-file: ${error.message}`, { isUsage: true });
  }
}

function createDownloads({ idleMs, edge }: Config, metrics: Metrics): Downloads {
  const admission = new Admission({
    limit: edge.maxDownloads,
    onRefusal: () => metrics.downloads.refused(),
  });
  const downloads = new Downloads({ idleMs, admission });
  metrics.downloads.observe(downloads);
  return downloads;
}
