/**
 * From arguments and environment to a configuration that holds together. What it needs of the world
 * is handed in.
 *
 * @module
 */

import { X509Certificate } from "node:crypto";
import { Command, CommanderError, Option } from "commander";
import type { LogFormat, LogLevel } from "../log.ts";
import { isRepositoryName } from "../repository.ts";
import {
  flagOf,
  type Setting,
  type SettingKey,
  SETTINGS,
  type SettingValues,
  SYSTEMD_CACHE_VARIABLE,
  variableOf,
} from "./settings.ts";
import * as kinds from "./values.ts";
import type { ListenAddress, ValueKind } from "./values.ts";

/** What is wrong with how the program was called, in one line for whoever called it. */
export class UsageError extends Error {
  /** Always `UsageError`. */
  override readonly name = "UsageError";
}

/** Firmware comes from a registry. */
export interface RegistryConfig {
  /** Tells it from layouts. */
  readonly kind: "registry";
  /** Its address. */
  readonly url: URL;
  /** Who we are there; anonymous without. */
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  /** Certificates in PEM that are trusted besides those of public authorities, which Deno brings. */
  readonly caCertificates: readonly string[];
  /** How long it may make no progress, in milliseconds. */
  readonly timeoutMs: number;
}

/** Firmware comes from image layouts. */
export interface LayoutConfig {
  /** Tells it from a registry. */
  readonly kind: "layout";
  /** The folder that holds them. */
  readonly directory: string;
}

/** What the service is to do. */
export interface Config {
  /** Where firmware comes from. */
  readonly source: RegistryConfig | LayoutConfig;
  /** What precedes a device id in a repository's name, without the slash at the end. */
  readonly repositoryPrefix: string;
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
  /** The largest firmware, in bytes. */
  readonly maxFirmwareBytes: number;
  /** The least important records that are logged. */
  readonly logLevel: LogLevel;
  /** How a record looks. */
  readonly logFormat: LogFormat;
}

/** What {@linkcode readConfig} is made from. */
export interface ConfigInput {
  /** The arguments after the program's name. */
  readonly args: readonly string[];
  /** Reads a variable of the environment. An empty one counts as none. */
  readonly env: (name: string) => string | undefined;
  /** What `--version` says. */
  readonly version: string;
  /** Reads a text file, or throws. */
  readonly readTextFile: (path: string) => string;
  /** Tells whether there is a folder. */
  readonly isDirectory: (path: string) => boolean;
}

/**
 * Reads the configuration. A flag wins over its environment variable, which wins over the default.
 *
 * @param input Arguments, environment and access to files.
 * @returns The configuration; or, where help or version were asked for, the text to print.
 * @throws {UsageError} For the first thing that is wrong.
 */
export function readConfig(input: ConfigInput): Config | string {
  const given = readArguments(input);
  if (typeof given === "string") return given;
  return resolve(readValues(given, input.env), input);
}

/** The flags that were given, as they were written. */
type GivenFlags = Readonly<Partial<Record<SettingKey, string | true>>>;

function readArguments({ args, version }: ConfigInput): GivenFlags | string {
  let printed = "";
  let complaint = "";
  const command = createCommand(version).configureOutput({
    writeOut: (text) => printed += text,
    writeErr: (text) => complaint += text,
    // By itself it would look into the environment, which is none of its business.
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  });
  try {
    return command.parse(args, { from: "user" }).opts();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return printed;
    throw new UsageError(complaintOf(complaint || error.message));
  }
}

function createCommand(version: string): Command {
  const command = new Command("otaflux")
    .description("Serves devices the newest firmware that an OCI registry holds for them.")
    .usage("(--registry-url <url> | --layout-dir <path>) [flags]")
    .version(`otaflux ${version}`, "--version", "print the version and end")
    .helpOption("--help", "print this help and end")
    .allowExcessArguments(false)
    .exitOverride();
  for (const [key, setting] of settings()) command.addOption(createOption(key, setting));
  return command;
}

/** What a flag of these kinds takes, its placeholder says. */
const SELF_EXPLANATORY: readonly ValueKind<unknown>[] = [kinds.text, kinds.path, kinds.boolean];

function createOption(key: SettingKey, setting: Setting): Option {
  const flag = flagOf(key);
  const takes = SELF_EXPLANATORY.includes(setting.kind) ? "" : `; takes ${setting.kind.takes}`;
  const fallback = setting.default === undefined ? "" : `; default ${setting.default}`;
  return new Option(
    setting.value === undefined ? flag : `${flag} <${setting.value}>`,
    `${setting.help}${takes}${fallback} [${variableOf(key)}]`,
  );
}

/** Settings that say the same in two ways. */
const RIVALS: Partial<Record<SettingKey, SettingKey>> = {
  registryUrl: "layoutDir",
  layoutDir: "registryUrl",
  registryPassword: "registryPasswordFile",
  registryPasswordFile: "registryPassword",
};

function readValues(given: GivenFlags, env: ConfigInput["env"]): SettingValues {
  const values = settings().map(([key, setting]) => {
    const flag = given[key];
    const rival = RIVALS[key];
    // A flag wins over a variable, also over that of its rival.
    const variable = rival && given[rival] !== undefined ? undefined : env(variableOf(key));
    if (flag !== undefined) return [key, readValue(flagOf(key), String(flag), setting)];
    if (variable) return [key, readValue(variableOf(key), variable, setting)];
    return [key, setting.default === undefined ? undefined : setting.kind.parse(setting.default)];
  });
  return Object.fromEntries(values);
}

function readValue(name: string, value: string, { kind, isSecret }: Setting): unknown {
  try {
    return kind.parse(value);
  } catch {
    throw invalid(name, isSecret ? "(hidden)" : value, kind.takes);
  }
}

/** Unless said otherwise: room for hundreds of firmwares on a gateway's disk, */
const DISK_CACHE_BYTES = 1024 ** 3;

/** and in its memory for one of the largest size. */
const MEMORY_CACHE_BYTES = 256 * 1024 ** 2;

function resolve(values: SettingValues, input: ConfigInput): Config {
  const [fromSystemd] = input.env(SYSTEMD_CACHE_VARIABLE)?.split(":") ?? [];
  const cacheDirectory = values.cacheDir ?? (fromSystemd || undefined);
  return {
    cacheDirectory,
    cacheMaxBytes: values.cacheMaxBytes ??
      (cacheDirectory === undefined ? MEMORY_CACHE_BYTES : DISK_CACHE_BYTES),
    source: resolveSource(values, input),
    repositoryPrefix: resolvePrefix(values),
    listen: values.listenAddr,
    metricsListen: values.metricsListenAddr,
    cacheSize: values.cacheSize,
    refreshIntervalMs: values.refreshInterval,
    trackForMs: values.trackFor,
    unknownForMs: values.unknownFor,
    concurrency: values.registryConcurrency,
    idleMs: values.idleTimeout,
    maxFirmwareBytes: values.maxFirmwareSize,
    logLevel: values.logLevel,
    logFormat: values.logFormat,
  };
}

function resolveSource(values: SettingValues, input: ConfigInput): RegistryConfig | LayoutConfig {
  const { registryUrl, layoutDir } = values;
  if (registryUrl !== undefined && layoutDir !== undefined) {
    throw new UsageError("--registry-url and --layout-dir exclude each other, want one of them");
  }
  if (registryUrl !== undefined) {
    return {
      kind: "registry",
      url: resolveRegistryUrl(registryUrl, values.registryInsecure),
      credentials: resolveCredentials(values, input),
      caCertificates: resolveCaCertificates(values, input),
      timeoutMs: values.registryTimeout,
    };
  }
  if (layoutDir !== undefined) {
    if (input.isDirectory(layoutDir)) return { kind: "layout", directory: layoutDir };
    throw invalid("--layout-dir", layoutDir, "a folder that exists and can be read");
  }
  throw new UsageError(
    "Where firmware comes from is not said, want --registry-url or --layout-dir (see --help)",
  );
}

function resolveRegistryUrl(value: string, isInsecure: boolean): URL {
  const [, scheme = "https://", rest = ""] = /^(https?:\/\/)?([^]*)$/i.exec(value) ?? [];
  // Not by `URL.protocol`: a port that is the default of https would be lost.
  return new URL(`${isInsecure ? "http://" : scheme}${rest}`);
}

function resolveCredentials(
  values: SettingValues,
  input: ConfigInput,
): RegistryConfig["credentials"] {
  const { registryUsername = "", registryPasswordFile: file } = values;
  if (values.registryPassword && file !== undefined) {
    throw new UsageError("--registry-password and --registry-password-file exclude each other");
  }
  // RFC 7617, 2: a colon would move the border between name and password.
  if (registryUsername.includes(":")) {
    // What stands behind it may be meant as the password.
    const name = registryUsername.replace(/:[^]*/, ":…");
    throw invalid("--registry-username", name, "a name without a colon");
  }
  const password = file === undefined
    ? values.registryPassword ?? ""
    // Editors and `echo` end a file with a line break that is not meant.
    : readFile("--registry-password-file", file, input).replace(/\r?\n$/, "");
  return registryUsername === "" && password === ""
    ? undefined
    : { username: registryUsername, password };
}

function resolveCaCertificates(values: SettingValues, input: ConfigInput): readonly string[] {
  const { registryCaCertPath: file } = values;
  if (file === undefined) return [];
  const pem = readFile("--registry-ca-cert-path", file, input);
  const certificates = pem.match(PEM_CERTIFICATE) ?? [];
  if (certificates.length === 0 || !certificates.every(isCertificate)) {
    throw invalid("--registry-ca-cert-path", file, "a file with certificates in PEM");
  }
  return certificates;
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g;

function isCertificate(pem: string): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
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

function readFile(flag: string, path: string, { readTextFile }: ConfigInput): string {
  try {
    return readTextFile(path);
  } catch (error) {
    const reason = error instanceof Error ? oneLine(error.message) : String(error);
    throw new UsageError(`${flag}: cannot read ${JSON.stringify(path)}: ${reason}`);
  }
}

function invalid(name: string, value: string, takes: string): UsageError {
  // What stands before "@" in an address may be a password, which may hold "/" and "@" itself.
  // So may be what follows "?".
  const shown = JSON.stringify(
    value.replace(/^([a-z]+:\/\/)?[^]*@/i, "$1…@").replace(/\?[^]*/, "?…"),
  );
  return new UsageError(`${name}: ${shown} is not valid, it takes ${takes}`);
}

function settings(): [SettingKey, Setting][] {
  return Object.entries(SETTINGS) as [SettingKey, Setting][];
}

function oneLine(message: string): string {
  return message.replaceAll(/\s*\n\s*/g, " ").trim();
}

/**
 * Commander repeats a mistyped flag and words too many as they are: what follows a flag's "=" may be
 * a secret, and so may be the rest of one that has spaces but no quotes.
 */
function complaintOf(message: string): string {
  const sentence = oneLine(message).replace(/^error: /, "")
    .replace(/=[^]*'/, "=…'")
    .replace(/^(too many arguments)\..*/, "$1, want flags only, and quotes around spaces");
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}
