/**
 * From arguments and environment to a configuration that holds together. What it needs of the world
 * is handed in.
 *
 * @module
 */

import type { LogFormat, LogLevel } from "../log.ts";
import { isRepositoryName } from "../repository.ts";
import type { Selection } from "../selection.ts";
import { type ArgumentsInput, readArguments } from "./arguments.ts";
import { type EdgeConfig, resolveEdge } from "./edge.ts";
import { type CosignConfig, resolveCosign } from "./cosign.ts";
import { findMisfits, type ReadSettings } from "./misfits.ts";
import { type MqttConfig, resolveMqtt } from "./mqtt.ts";
import { resolveSelection } from "./selection.ts";
import { type SettingValues, SYSTEMD_CACHE_VARIABLE } from "./settings.ts";
import { type LayoutConfig, type RegistryConfig, resolveSource } from "./source.ts";
import { type FileAccess, invalid } from "./usage.ts";
import type { ListenAddress } from "./values.ts";
import { resolveWebhookSecret } from "./webhooks.ts";

/** What the service is to do. */
export interface Config {
  /** Tells it from what other commands want to know. */
  readonly command: "serve";
  /** Where firmware comes from. */
  readonly source: RegistryConfig | LayoutConfig;
  /** What precedes a device id in a repository's name, without the slash at the end. */
  readonly repositoryPrefix: string;
  /** How firmware must be signed; it need not be without. */
  readonly cosign: CosignConfig | undefined;
  /** Where devices are answered. */
  readonly listen: ListenAddress;
  /** Where metrics are served. */
  readonly metricsListen: ListenAddress;
  /** How many devices are kept in memory. */
  readonly cacheSize: number;
  /** Where firmware is kept over restarts; in memory without. */
  readonly cacheDirectory: string | undefined;
  /** The most bytes that are kept. */
  readonly cacheMaxBytes: number;
  /** How long an answer of the source holds, in milliseconds; 0 for not at all. */
  readonly refreshIntervalMs: number;
  /** How long a device is checked in the background, in milliseconds. */
  readonly trackForMs: number;
  /** How long an unknown device is remembered, in milliseconds. */
  readonly unknownForMs: number;
  /** How many requests the source gets at once. */
  readonly concurrency: number;
  /** How long a device may take nothing of a download, in milliseconds. */
  readonly idleMs: number;
  /** Whether a lower version than before is refused. */
  readonly noDowngrade: boolean;
  /** What is looked for where a request does not say. */
  readonly selection: Selection;
  /** The largest firmware, in bytes. */
  readonly maxFirmwareBytes: number;
  /** Whose pages may read answers in a browser; `*` for all. */
  readonly corsOrigins: readonly string[];
  /** What registries' webhooks have to know; everybody may send some without. */
  readonly webhookSecret: string | undefined;
  /** How devices are met. */
  readonly edge: EdgeConfig;
  /** Where firmware is announced; nowhere without. */
  readonly mqtt: MqttConfig | undefined;
  /** The least important records that are logged. */
  readonly logLevel: LogLevel;
  /** How a record looks. */
  readonly logFormat: LogFormat;
  /** What was given and says nothing, a sentence each. */
  readonly warnings: readonly string[];
}

/** What `otaflux healthcheck` wants to know. */
export interface HealthcheckConfig {
  /** Tells it from what other commands want to know. */
  readonly command: "healthcheck";
  /** Where the service answers devices. */
  readonly listen: ListenAddress;
  /** Whether it speaks TLS there. */
  readonly isTls: boolean;
}

/** What `otaflux check` wants to know: as much of the service's as decides what is served. */
export interface CheckConfig extends
  Pick<
    Config,
    "source" | "repositoryPrefix" | "maxFirmwareBytes" | "cosign" | "selection" | "warnings"
  > {
  /** Tells it from what other commands want to know. */
  readonly command: "check";
  /** The device that is looked at. */
  readonly device: string;
}

/** What {@linkcode readConfig} is made from. */
export interface ConfigInput extends ArgumentsInput, FileAccess {}

/**
 * Reads the configuration.
 *
 * @param input Arguments, environment and access to files.
 * @returns What the command is to do; or, where help, version or completions were asked for, the
 * text to print.
 * @throws {UsageError} For the first thing that is wrong.
 */
export function readConfig(
  input: ConfigInput,
): Config | HealthcheckConfig | CheckConfig | string {
  const read = readArguments(input);
  if (typeof read === "string") return read;
  const { call, values } = read;
  switch (call.command) {
    case "serve":
      return resolve(read, input);
    case "healthcheck":
      return { ...call, listen: values.listenAddr, isTls: values.tlsCertPath !== undefined };
    case "check": {
      // All of it: what would hinder the service from starting is found, too.
      const config = resolve(read, input);
      const { source, repositoryPrefix, maxFirmwareBytes, cosign, selection, warnings } = config;
      return { ...call, source, repositoryPrefix, maxFirmwareBytes, cosign, selection, warnings };
    }
  }
}

/** Unless said otherwise: room for hundreds of firmwares on a gateway's disk, */
const DISK_CACHE_BYTES = 1024 ** 3;

/** and in its memory for one of the largest size. */
const MEMORY_CACHE_BYTES = 256 * 1024 ** 2;

function resolve({ values, origins }: ReadSettings, input: ConfigInput): Config {
  const [fromSystemd] = input.env(SYSTEMD_CACHE_VARIABLE)?.split(":") ?? [];
  const cacheDirectory = values.cacheDir ?? (fromSystemd || undefined);
  return {
    command: "serve",
    cacheDirectory,
    cacheMaxBytes: values.cacheMaxBytes ??
      (cacheDirectory === undefined ? MEMORY_CACHE_BYTES : DISK_CACHE_BYTES),
    source: resolveSource(values, input),
    repositoryPrefix: resolvePrefix(values),
    cosign: resolveCosign(values, input),
    listen: values.listenAddr,
    metricsListen: values.metricsListenAddr,
    cacheSize: values.cacheSize,
    refreshIntervalMs: values.refreshInterval,
    trackForMs: values.trackFor,
    unknownForMs: values.unknownFor,
    concurrency: values.registryConcurrency,
    idleMs: values.idleTimeout,
    noDowngrade: values.noDowngrade,
    selection: resolveSelection(values),
    maxFirmwareBytes: values.maxFirmwareSize,
    corsOrigins: values.corsOrigin,
    webhookSecret: resolveWebhookSecret(values, input),
    edge: resolveEdge(values),
    mqtt: resolveMqtt(values, input),
    logLevel: values.logLevel,
    logFormat: values.logFormat,
    warnings: findMisfits({ values, origins }),
  };
}

function resolvePrefix({ repositoryPrefix = "" }: SettingValues): string {
  const prefix = repositoryPrefix.replace(/\/$/, "");
  if (prefix === "" || isRepositoryName(prefix)) return prefix;
  throw invalid(
    "--repository-prefix",
    repositoryPrefix,
    "lower-case letters and digits, parted by . _ - or /",
  );
}
