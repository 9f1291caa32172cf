/**
 * OtaFlux: serves devices the newest firmware that an OCI registry holds for them. This file puts
 * the parts together; it alone touches arguments, environment, signals and exit.
 *
 * @module
 */

import meta from "./deno.json" with { type: "json" };
import { Announcements } from "./src/api/announcements.ts";
import { Downloads } from "./src/api/downloads.ts";
import { createRouter } from "./src/api/router.ts";
import { type Config, readConfig } from "./src/config/config.ts";
import { UsageError } from "./src/config/usage.ts";
import type { ListenAddress } from "./src/config/values.ts";
import { describeError } from "./src/errors.ts";
import type { FirmwareSource, FirmwareStore } from "./src/firmware/firmware.ts";
import { FirmwareManager } from "./src/firmware/manager.ts";
import { LayoutSource } from "./src/layout/source.ts";
import { configureLogging, logger } from "./src/log.ts";
import { Metrics } from "./src/metrics/metrics.ts";
import { trackRequests } from "./src/metrics/middleware.ts";
import { createMetricsRouter } from "./src/metrics/router.ts";
import { MqttBroker } from "./src/notifier/broker.ts";
import { MqttNotifier, type MqttNotifierOptions } from "./src/notifier/notifier.ts";
import { Topics } from "./src/notifier/topics.ts";
import { RegistryClient } from "./src/registry/client.ts";
import { createTransport } from "./src/registry/transport.ts";
import { DiskStore } from "./src/store/disk.ts";
import { MemoryStore } from "./src/store/memory.ts";

/** How long a device is served what it was told of, although there is something newer. */
const ANNOUNCEMENT_HOLD_MS = 60_000;

/** How long requests under way may take to end after a signal. */
const DRAIN_MS = 10_000;

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;

const log = logger("main");

if (import.meta.main) await main();

async function main(): Promise<void> {
  const config = configure();
  configureLogging({ level: config.logLevel, format: config.logFormat });
  const metrics = new Metrics();
  const store = await createStore(config);
  const notifier = await createNotifier(config, {
    observer: metrics,
    refresh: (device) => manager.refresh(device),
  });
  const manager = new FirmwareManager({
    source: createSource(config),
    store,
    notifier,
    observer: metrics,
    cacheSize: config.cacheSize,
    refreshIntervalMs: config.refreshIntervalMs,
    trackForMs: config.trackForMs,
    unknownForMs: config.unknownForMs,
    concurrency: config.concurrency,
    holdMs: ANNOUNCEMENT_HOLD_MS,
    maxFirmwareBytes: config.maxFirmwareBytes,
  });
  metrics.observeStaleness(() => manager.staleness());
  manager.start();
  const router = createRouter({
    manager,
    downloads: new Downloads({ idleMs: config.idleMs }),
    announcements: new Announcements({ holdMs: ANNOUNCEMENT_HOLD_MS }),
    observe: trackRequests(metrics),
  });
  const metricsRouter = createMetricsRouter(metrics);
  const servers = [
    serve("Devices", config.listen, (request, info) => router.fetch(request, info)),
    serve("Metrics", config.metricsListen, (request) => metricsRouter.fetch(request)),
  ];
  await anySignal("SIGTERM", "SIGINT");
  manager.stop();
  await Promise.all([drain(servers), notifier?.close()]);
  Deno.exit(0);
}

function configure(): Config {
  try {
    const config = readConfig({
      args: Deno.args,
      env: (name) => Deno.env.get(name),
      version: meta.version,
      readTextFile: Deno.readTextFileSync,
      isDirectory,
    });
    if (typeof config !== "string") return config;
    Deno.stdout.writeSync(new TextEncoder().encode(config));
    Deno.exit(0);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    exitWith(EXIT_USAGE, error.message);
  }
}

function createSource(config: Config): FirmwareSource {
  const { source, repositoryPrefix } = config;
  if (source.kind === "layout") {
    return new LayoutSource({ directory: source.directory, repositoryPrefix });
  }
  const { url, credentials, caCertificates, timeoutMs } = source;
  const fetch = createTransport({
    registry: url,
    credentials,
    caCertificates,
    idleMs: timeoutMs,
    userAgent: `OtaFlux/${meta.version}`,
  });
  return new RegistryClient({ url, repositoryPrefix, fetch });
}

async function createStore(config: Config): Promise<FirmwareStore> {
  const { cacheDirectory: directory, cacheMaxBytes: maxBytes } = config;
  if (directory === undefined) return new MemoryStore({ maxBytes });
  try {
    return await DiskStore.open({ directory, maxBytes });
  } catch (error) {
    exitWith(EXIT_FAILURE, describeError(error));
  }
}

async function createNotifier(
  { mqtt, cacheDirectory }: Config,
  parts: Pick<MqttNotifierOptions, "observer" | "refresh">,
): Promise<MqttNotifier | undefined> {
  if (mqtt === undefined) return undefined;
  const { topic, publicUrl, homeAssistantPrefix, clientId, ...broker } = mqtt;
  try {
    return await MqttNotifier.start({
      ...parts,
      ...{ topic, publicUrl, homeAssistantPrefix },
      broker: new MqttBroker({
        ...broker,
        // Replicas must differ: of two with the same name the broker keeps one.
        clientId: clientId ?? `otaflux-${crypto.randomUUID().slice(0, 8)}`,
        willTopic: new Topics(topic).state,
      }),
      directory: cacheDirectory && `${cacheDirectory}/.otaflux/notifications`,
    });
  } catch (error) {
    exitWith(EXIT_FAILURE, describeError(error));
  }
}

function serve(
  what: string,
  { hostname, port }: ListenAddress,
  handler: Deno.ServeHandler,
): Deno.HttpServer {
  try {
    return Deno.serve({
      hostname,
      port,
      onListen: (address) => log.info(`${what} are served`, { ...address }),
      onError: (error) => {
        log.error("Request failed outside of the routes", { reason: describeError(error) });
        return new Response(null, { status: 500 });
      },
    }, handler);
  } catch (error) {
    const address = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
    exitWith(EXIT_FAILURE, `Cannot listen on ${address}: ${describeError(error)}`);
  }
}

/** Waits for the first signal; a second one ends the program at once. */
function anySignal(...signals: Deno.Signal[]): Promise<void> {
  return new Promise((resolve) => {
    let isEnding = false;
    for (const signal of signals) {
      Deno.addSignalListener(signal, () => {
        log.info("Signal received", { signal });
        if (isEnding) Deno.exit(EXIT_FAILURE);
        isEnding = true;
        resolve();
      });
    }
  });
}

/** Stops accepting at once and waits for requests under way, as long as they may take. */
async function drain(servers: readonly Deno.HttpServer[]): Promise<void> {
  const timeout = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), DRAIN_MS));
  const ended = Promise.all(servers.map((server) => server.shutdown())).then(() => true);
  if (await Promise.race([ended, timeout])) log.info("All requests have ended");
  else log.warn("Requests were cut off", { afterSeconds: DRAIN_MS / 1000 });
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

function exitWith(status: number, message: string): never {
  Deno.stderr.writeSync(new TextEncoder().encode(`otaflux: ${message}\n`));
  Deno.exit(status);
}
