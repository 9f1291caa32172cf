/**
 * OtaFlux: serves devices the newest firmware that an OCI registry holds for them. This file parses
 * flags, starts two listeners and ends them; it alone touches arguments, environment, signals and
 * exit. What stands behind the listeners is put together in `src/wiring/`.
 *
 * @module
 */

import meta from "./deno.json" with { type: "json" };
import { healthcheck } from "./src/commands/healthcheck.ts";
import {
  type CheckConfig,
  type Config,
  type HealthcheckConfig,
  readConfig,
} from "./src/config/config.ts";
import { COMMIT_VARIABLE } from "./src/config/settings.ts";
import { UsageError } from "./src/config/usage.ts";
import { configureLogging, logger } from "./src/log.ts";
import { CannotStart } from "./src/wiring/cannot_start.ts";
import { checkDevice } from "./src/wiring/device_check.ts";
import { type Listener, listenForDevices, listenForOperators } from "./src/wiring/listeners.ts";
import { Service } from "./src/wiring/service.ts";

/** How long requests under way may take to end after a signal. */
const DRAIN_MS = 10_000;

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;

/** What an executable was made of; undefined from source. */
const COMMIT = Deno.env.get(COMMIT_VARIABLE) || undefined;

const log = logger("main");

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    exitWith(error.isUsage ? EXIT_USAGE : EXIT_FAILURE, error.message);
  }
}

async function main(): Promise<void> {
  const config = configure();
  switch (config.command) {
    case "healthcheck": {
      const reason = await healthcheck(config);
      if (reason !== undefined) exitWith(EXIT_FAILURE, reason);
      return;
    }
    case "check":
      for (const warning of config.warnings) complain(warning);
      Deno.exit(await checkDevice(config, meta.version) ? 0 : EXIT_FAILURE);
      break;
    case "serve":
      await run(config);
  }
}

/** Serves devices until a signal comes. */
async function run(config: Config): Promise<never> {
  configureLogging({ level: config.logLevel, format: config.logFormat });
  for (const reason of config.warnings) log.warn("Settings do not fit together", { reason });
  const service = await Service.create(config, { version: meta.version, commit: COMMIT });
  const devices = await listenForDevices(config, service);
  reloadOnHangup(devices, service);
  const listeners = [devices, listenForOperators(config, service.forOperators)];
  service.start();
  if (config.webhookSecret === undefined) {
    log.warn("Webhooks are open to everybody, see --webhook-secret-file");
  }
  await anySignal("SIGTERM", "SIGINT");
  service.stop();
  await Promise.all([drain(listeners), service.close()]);
  Deno.exit(0);
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

/** With nothing to reload the signal ends the program, as when its terminal is closed. */
function reloadOnHangup(...parts: readonly Pick<Listener, "reload">[]): void {
  const meant = parts.filter((part) => part.reload !== undefined);
  if (meant.length === 0) return;
  Deno.addSignalListener("SIGHUP", () => {
    log.info("Signal received", { signal: "SIGHUP" });
    for (const part of meant) void part.reload?.();
  });
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
async function drain(listeners: readonly Listener[]): Promise<void> {
  const timeout = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), DRAIN_MS));
  const ended = Promise.all(listeners.map((listener) => listener.shutdown())).then(() => true);
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
  complain(message);
  Deno.exit(status);
}

function complain(message: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`otaflux: ${message}\n`));
}
