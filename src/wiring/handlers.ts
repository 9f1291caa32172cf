/**
 * What is answered on the two listeners.
 *
 * @module
 */

import { Announcements } from "../api/announcements.ts";
import { authorize } from "../api/authorization.ts";
import type { Downloads } from "../api/downloads.ts";
import { identifyRequests } from "../api/request_id.ts";
import { createRouter } from "../api/router.ts";
import type { DeviceTokens } from "../api/tokens.ts";
import type { Config } from "../config/config.ts";
import type { EventQueue } from "../events/queue.ts";
import type { FirmwareStore } from "../firmware/firmware.ts";
import type { FirmwareManager } from "../firmware/manager.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { trackRequests } from "../metrics/middleware.ts";
import { createMetricsRouter } from "../metrics/router.ts";
import type { MqttNotifier } from "../notifier/notifier.ts";
import { StartTime } from "../start_time.ts";
import type { BrokerFacts } from "../status/facts.ts";
import { createStatusRouter } from "../status/router.ts";
import { sourceName } from "./source.ts";

/** What an executable is. */
export interface Program {
  /** Its version. */
  readonly version: string;
  /** The commit that it was made of; undefined from source. */
  readonly commit: string | undefined;
}

/** What answers work with. */
export interface Parts {
  /** Which firmware a device may have. */
  readonly manager: FirmwareManager;
  /** Where firmware is kept. */
  readonly store: FirmwareStore;
  /** What registries have told. */
  readonly events: EventQueue;
  /** Who tells devices; nobody without a broker. */
  readonly notifier: MqttNotifier | undefined;
  /** What devices have to know; nothing without. */
  readonly tokens: DeviceTokens | undefined;
  /** What devices are being sent. */
  readonly downloads: Downloads;
  /** Every series. */
  readonly metrics: Metrics;
}

/**
 * Answers devices and registries.
 *
 * @param config What is to be done.
 * @param parts What does it.
 * @param holdMs How long a device is served what it was told of, in milliseconds.
 * @returns The handler.
 */
export function deviceHandler(
  config: Config,
  { manager, events, notifier, tokens, downloads, metrics }: Parts,
  holdMs: number,
): Deno.ServeHandler {
  const router = createRouter({
    manager,
    downloads,
    announcements: new Announcements({ holdMs }),
    fleet: {
      polled: (device, versions) => {
        metrics.fleet.polled(device, versions);
        notifier?.polled(device, versions);
      },
    },
    corsOrigins: config.corsOrigins,
    observe: trackRequests(metrics),
    webhooks: {
      secret: config.webhookSecret,
      repositoryPrefix: config.repositoryPrefix,
      events,
      observer: metrics.webhooks,
    },
    before: [identifyRequests(), ...tokens ? [authorize(tokens)] : []],
  });
  return (request, info) => router.fetch(request, info);
}

/**
 * Answers operators: metrics, and how things stand.
 *
 * @param config What is to be done.
 * @param parts What does it.
 * @param program What runs.
 * @returns The handler.
 */
export function operatorHandler(
  config: Config,
  { manager, store, notifier, downloads, metrics }: Parts,
  program: Program,
): Deno.ServeHandler {
  const startTime = new StartTime();
  const status = createStatusRouter({
    service: {
      ...program,
      get startedAt(): Date {
        return startTime.date;
      },
    },
    source: { kind: config.source.kind, name: sourceName(config.source) },
    firmware: () => manager.overview.status(),
    cache: () => ({
      kind: config.cacheDirectory === undefined ? "memory" : "folder",
      bytes: store.bytes,
      maxBytes: config.cacheMaxBytes,
    }),
    downloads: () => ({ underWay: downloads.count, limit: config.edge.maxDownloads }),
    broker: notifier && ((): BrokerFacts => notifier.state),
    reportedVersions: (device) => metrics.fleet.reportedVersions(device),
  });
  const router = createMetricsRouter(metrics, status);
  return (request) => router.fetch(request);
}
