/**
 * OtaFlux: serves devices the newest firmware that an OCI registry holds for them. This file puts
 * the parts together; it alone touches arguments, environment, signals and exit.
 *
 * @module
 */

import meta from "./deno.json" with { type: "json" };
import { Admission } from "./src/api/admission.ts";
import { Announcements } from "./src/api/announcements.ts";
import { authorize } from "./src/api/authorization.ts";
import { Downloads } from "./src/api/downloads.ts";
import { identifyRequests } from "./src/api/request_id.ts";
import { createRouter } from "./src/api/router.ts";
import { DeviceTokens, TokenFileError } from "./src/api/tokens.ts";
import type { Place } from "./src/commands/advice.ts";
import { check } from "./src/commands/check.ts";
import { healthcheck } from "./src/commands/healthcheck.ts";
import {
  type CheckConfig,
  type Config,
  type HealthcheckConfig,
  readConfig,
} from "./src/config/config.ts";
import { COMMIT_VARIABLE } from "./src/config/settings.ts";
import { UsageError } from "./src/config/usage.ts";
import type { ListenAddress } from "./src/config/values.ts";
import { AcceptedVersions } from "./src/cosign/accepted.ts";
import { loadPolicy, UnusablePolicy } from "./src/cosign/load.ts";
import { CosignVerifier } from "./src/cosign/verifier.ts";
import { describeError } from "./src/errors.ts";
import { DowngradeGuard } from "./src/firmware/downgrade.ts";
import { EventQueue } from "./src/events/queue.ts";
import type { FirmwareStore, FirmwareVerifier } from "./src/firmware/firmware.ts";
import { FirmwareLookup } from "./src/firmware/lookup.ts";
import { FirmwareManager, type FirmwareManagerOptions } from "./src/firmware/manager.ts";
import { LastingServer } from "./src/lasting_server.ts";
import { LayoutSource } from "./src/layout/source.ts";
import { configureLogging, logger } from "./src/log.ts";
import { Metrics } from "./src/metrics/metrics.ts";
import { trackRequests } from "./src/metrics/middleware.ts";
import { createMetricsRouter } from "./src/metrics/router.ts";
import type { StoreSeries } from "./src/metrics/store_series.ts";
import { MqttBroker } from "./src/notifier/broker.ts";
import { MqttNotifier, type MqttNotifierOptions } from "./src/notifier/notifier.ts";
import { Topics } from "./src/notifier/topics.ts";
import { keepOnly, type NeededAccess } from "./src/permissions.ts";
import { RegistryClient } from "./src/registry/client.ts";
import type { RequestObserver } from "./src/registry/measure.ts";
import { createTransport } from "./src/registry/transport.ts";
import { formatSelection } from "./src/selection.ts";
import type { BrokerFacts, StatusPorts } from "./src/status/facts.ts";
import { createStatusRouter } from "./src/status/router.ts";
import { DiskStore } from "./src/store/disk.ts";
import { OWN_FOLDER } from "./src/store/layouts.ts";
import { MemoryStore } from "./src/store/memory.ts";
import { NoStore } from "./src/store/none.ts";
import { VersionFiles, VersionMemory } from "./src/store/versions.ts";
import { CertificateError } from "./src/tls/certificate.ts";
import { HttpsServer } from "./src/tls/https.ts";

/** How long a device is served what it was told of, although there is something newer. */
const ANNOUNCEMENT_HOLD_MS = 60_000;

/** How long requests under way may take to end after a signal. */
const DRAIN_MS = 10_000;

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;

/** What an executable was made of; undefined from source. */
const COMMIT = Deno.env.get(COMMIT_VARIABLE);

const log = logger("main");

if (import.meta.main) await main();

async function main(): Promise<void> {
  const config = configure();
  if (config.command === "healthcheck") {
    const reason = await healthcheck(config);
    if (reason !== undefined) exitWith(EXIT_FAILURE, reason);
    return;
  }
  if (config.command === "check") {
    Deno.exit(await checkDevice(config) ? 0 : EXIT_FAILURE);
  }
  await run(config);
}

/** Serves devices until a signal comes. */
async function run(config: Config): Promise<never> {
  configureLogging({ level: config.logLevel, format: config.logFormat });
  const metrics = new Metrics();
  metrics.build.set({ version: meta.version, commit: COMMIT || undefined });
  const source = createSource(config, metrics.registry);
  const verifier = await createVerifier(config, source);
  const tokens = await readDeviceTokens(config);
  keepOnly(accessOf(config));
  const store = await createStore(config, metrics.store);
  metrics.store.observe({ bytes: () => store.bytes, maxBytes: config.cacheMaxBytes });
  const notifier = await createNotifier(config, {
    observer: metrics.mqtt,
    refresh: (device) => manager.refresh(device),
  });
  const manager = createManager(config, { source, verifier, store, notifier, metrics });
  const events = await createEvents(config, { manager, notifier });
  manager.start();
  const downloads = createDownloads(config, metrics);
  const service = { metrics, tokens, store, notifier, manager, events, downloads };
  const forDevices = createDeviceHandler(config, service);
  const forOperators = createOperatorHandler(config, service);
  const devices = await serveDevices(config, forDevices);
  reloadOnHangup(devices, tokens ?? {});
  const servers = [devices, serve("Metrics", config.metricsListen, forOperators)];
  events.start();
  if (config.webhookSecret === undefined) {
    log.warn("Webhooks are open to everybody, see --webhook-secret-file");
  }
  await anySignal("SIGTERM", "SIGINT");
  manager.stop();
  events.stop();
  await Promise.all([drain(servers), notifier?.close()]);
  Deno.exit(0);
}

/** Goes the service's own way once, with nothing behind it that would keep what is found. */
async function checkDevice(config: CheckConfig): Promise<boolean> {
  const { device, maxFirmwareBytes, selection } = config;
  const source = createSource(config);
  const verifier = await createVerifier(config, source);
  keepOnly({ read: config.source.kind === "layout", write: false });
  const store = new NoStore();
  return await check({
    device,
    source,
    place: placeOf(config),
    wantsSignature: verifier !== undefined,
    find: (watched) =>
      new FirmwareLookup({ ...watched, store, verifier, maxFirmwareBytes, onAnswer: () => {} })
        .newest({ device, selection }, undefined),
    write: (text) => Deno.stdout.writeSync(new TextEncoder().encode(text)),
    isTerminal: Deno.stdout.isTerminal(),
  });
}

function placeOf({ device, source, repositoryPrefix }: CheckConfig): Place {
  const repository = repositoryPrefix === "" ? device : `${repositoryPrefix}/${device}`;
  return source.kind === "layout"
    ? { kind: "layout", name: source.directory, repository, hasCredentials: false }
    : {
      kind: "registry",
      name: source.url.href.replace(/\/+$/, ""),
      repository,
      hasCredentials: source.credentials !== undefined,
    };
}

function configure(): Config | HealthcheckConfig | CheckConfig {
  try {
    const config = readConfig({
      args: Deno.args,
      env: (name) => Deno.env.get(name),
      version: COMMIT ? `${meta.version} (commit ${COMMIT})` : meta.version,
      readTextFile: Deno.readTextFileSync,
      isDirectory,
      listDirectory: (path) => [...Deno.readDirSync(path)].map(({ name }) => name),
    });
    if (typeof config !== "string") return config;
    Deno.stdout.writeSync(new TextEncoder().encode(config));
    Deno.exit(0);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    exitWith(EXIT_USAGE, error.message);
  }
}

/** What is read and written once all that was configured has been read. */
function accessOf({ source, cacheDirectory, edge }: Config): NeededAccess {
  const isReadAgain = edge.tls !== undefined || edge.deviceTokenFile !== undefined;
  return {
    read: source.kind === "layout" || cacheDirectory !== undefined || isReadAgain,
    write: cacheDirectory !== undefined,
  };
}

function createSource(
  config: Pick<Config, "source" | "repositoryPrefix">,
  observer?: RequestObserver,
): RegistryClient | LayoutSource {
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
    observer,
  });
  return new RegistryClient({ url, repositoryPrefix, fetch });
}

/** Without it everybody may release firmware who may push. */
async function createVerifier(
  config: Pick<Config, "cosign"> & Partial<Pick<Config, "cacheDirectory">>,
  source: RegistryClient | LayoutSource,
): Promise<FirmwareVerifier | undefined> {
  const { cosign, cacheDirectory } = config;
  if (cosign === undefined) return undefined;
  const accepted = cacheDirectory && `${cacheDirectory}/${OWN_FOLDER}/accepted`;
  return await orExit(async () => {
    const policy = await loadPolicy(cosign);
    return new CosignVerifier({ source, policy, accepted: new AcceptedVersions(accepted) });
  });
}

async function createStore(
  { cacheDirectory: directory, cacheMaxBytes: maxBytes, selection }: Config,
  series: StoreSeries,
): Promise<FirmwareStore> {
  const options = { maxBytes, onEviction: () => series.evicted() };
  if (directory === undefined) return new MemoryStore(options);
  try {
    const defaultSelection = formatSelection(selection);
    return await DiskStore.open({ directory, defaultSelection, ...options });
  } catch (error) {
    exitWith(EXIT_FAILURE, `${describeError(error)}; see --cache-dir`);
  }
}

function createGuard({ noDowngrade, cacheDirectory }: Config): DowngradeGuard | undefined {
  if (!noDowngrade) return undefined;
  if (cacheDirectory !== undefined) {
    return new DowngradeGuard(new VersionFiles(`${cacheDirectory}/${OWN_FOLDER}/highest`));
  }
  log.warn("Without a cache folder the highest versions are forgotten at the end of this process");
  return new DowngradeGuard(new VersionMemory());
}

/** What serves devices, put together. */
interface Service {
  readonly metrics: Metrics;
  readonly tokens: DeviceTokens | undefined;
  readonly store: FirmwareStore;
  readonly notifier: MqttNotifier | undefined;
  readonly manager: FirmwareManager;
  readonly events: EventQueue;
  readonly downloads: Downloads;
}

function createManager(
  config: Config,
  { metrics, ...parts }:
    & Pick<FirmwareManagerOptions, "source" | "verifier" | "store" | "notifier">
    & Pick<Service, "metrics">,
): FirmwareManager {
  const manager = new FirmwareManager({
    ...parts,
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
  return manager;
}

async function createEvents(
  { cacheDirectory: directory, concurrency }: Config,
  { manager, notifier }: Pick<Service, "manager" | "notifier">,
): Promise<EventQueue> {
  return await orExit(() =>
    EventQueue.open({
      directory,
      handle: async (device) => {
        const firmware = await manager.refresh(device);
        await notifier?.announce(device, firmware, { always: true });
      },
      // However many events there are, a device that waits does not stand in line behind them.
      concurrency: Math.max(1, concurrency - 1),
    })
  );
}

async function createNotifier(
  { mqtt, cacheDirectory }: Config,
  parts: Pick<MqttNotifierOptions, "observer" | "refresh">,
): Promise<MqttNotifier | undefined> {
  if (mqtt === undefined) return undefined;
  const { topic, publicUrl, homeAssistantPrefix, clientId, ...broker } = mqtt;
  return await orExit(() =>
    MqttNotifier.start({
      ...parts,
      ...{ topic, publicUrl, homeAssistantPrefix },
      broker: new MqttBroker({
        ...broker,
        // Replicas must differ: of two with the same name the broker keeps one.
        clientId: clientId ?? `otaflux-${crypto.randomUUID().slice(0, 8)}`,
        willTopic: new Topics(topic).state,
      }),
      directory: cacheDirectory && `${cacheDirectory}/${OWN_FOLDER}/notifications`,
    })
  );
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
    exitWith(EXIT_USAGE, `--device-token-file: ${error.message}`);
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

function createDeviceHandler(
  config: Config,
  { metrics, tokens, notifier, manager, events, downloads }: Service,
): Deno.ServeHandler {
  const router = createRouter({
    manager,
    downloads,
    announcements: new Announcements({ holdMs: ANNOUNCEMENT_HOLD_MS }),
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

function createOperatorHandler(
  config: Config,
  { metrics, store, notifier, manager, downloads }: Service,
): Deno.ServeHandler {
  const status = createStatusRouter({
    ...describe(config),
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

/** What the page says of this process, whatever happens to it. */
function describe({ source }: Config): Pick<StatusPorts, "service" | "source"> {
  return {
    service: { version: meta.version, commit: COMMIT || undefined, startedAt: new Date() },
    source: {
      kind: source.kind,
      name: source.kind === "registry" ? source.url.href.replace(/\/$/, "") : source.directory,
    },
  };
}

/** What listens. */
interface Server {
  /** Stops accepting, and lets requests under way end. */
  shutdown(): Promise<void>;
}

/** What reads files that may change. */
interface Reloadable {
  /** Reads them again, and never fails. */
  reload(): Promise<void>;
}

async function serveDevices(
  config: Config,
  handler: Deno.ServeHandler,
): Promise<Server & Partial<Reloadable>> {
  const { listen, idleMs, edge: { tls } } = config;
  if (tls === undefined) return serve("Devices", listen, handler);
  try {
    const server = await HttpsServer.start({ ...listen, paths: tls, idleMs, handler, onError });
    log.info("Devices are served", { ...server.addr, scheme: "https" });
    return server;
  } catch (error) {
    if (!(error instanceof CertificateError)) exitWithoutListening(listen, error);
    exitWith(EXIT_USAGE, `--tls-cert-path and --tls-key-path: ${error.message}`);
  }
}

/** With nothing to reload the signal ends the program, as when its terminal is closed. */
function reloadOnHangup(...parts: readonly Partial<Reloadable>[]): void {
  const meant = parts.filter((part) => part.reload !== undefined);
  if (meant.length === 0) return;
  Deno.addSignalListener("SIGHUP", () => {
    log.info("Signal received", { signal: "SIGHUP" });
    for (const part of meant) void part.reload?.();
  });
}

function serve(
  what: string,
  { hostname, port }: ListenAddress,
  handler: Deno.ServeHandler,
): LastingServer {
  try {
    const server = new LastingServer({ hostname, port, handler, onError });
    log.info(`${what} are served`, { ...server.addr });
    return server;
  } catch (error) {
    exitWithoutListening({ hostname, port }, error);
  }
}

function onError(error: unknown): Response {
  log.error("Request failed outside of the routes", { reason: describeError(error) });
  return new Response(null, { status: 500 });
}

function exitWithoutListening({ hostname, port }: ListenAddress, error: unknown): never {
  const address = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  const next = "see --listen-addr and --metrics-listen-addr";
  exitWith(EXIT_FAILURE, `Cannot listen on ${address}: ${describeError(error)}; ${next}`);
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
async function drain(servers: readonly Server[]): Promise<void> {
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

/** Without a part that is wanted there is no service: the program ends and says why. */
async function orExit<T>(create: () => Promise<T>): Promise<T> {
  try {
    return await create();
  } catch (error) {
    exitWith(error instanceof UnusablePolicy ? EXIT_USAGE : EXIT_FAILURE, describeError(error));
  }
}

function exitWith(status: number, message: string): never {
  Deno.stderr.writeSync(new TextEncoder().encode(`otaflux: ${message}\n`));
  Deno.exit(status);
}
