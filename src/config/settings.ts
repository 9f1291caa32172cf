/**
 * Every setting, once: flag, environment variable, help, error and type follow from this table.
 *
 * @module
 */

import { LOG_FORMATS, LOG_LEVELS } from "../log.ts";
import * as kinds from "./values.ts";
import type { ValueKind } from "./values.ts";

/** One setting. Its key in {@linkcode SETTINGS} gives the flag and the variable their names. */
export interface Setting {
  /** What the value is, for the help's placeholder; a flag without one is a switch. */
  readonly value?: string;
  /** What it does, in half a sentence. */
  readonly help: string;
  /** How the value is read. */
  readonly kind: ValueKind<unknown>;
  /** The default, as one would write it; without one the setting is off. */
  readonly default?: string;
  /** Whether the value is kept out of every message. @default false */
  readonly isSecret?: boolean;
  /**
   * Whether the flag may be given several times; its variable is then parted by commas.
   *
   * @default false
   */
  readonly isList?: boolean;
}

/** All settings, in the order of the help. */
export const SETTINGS = {
  registryUrl: {
    value: "url",
    help: "OCI registry to read firmware from",
    kind: kinds.registryUrl,
  },
  repositoryPrefix: {
    value: "name",
    help: "what precedes the device id in a repository's name",
    kind: kinds.text,
  },
  registryUsername: {
    value: "name",
    help: "user of the registry; anonymous without",
    kind: kinds.text,
  },
  registryPassword: {
    value: "secret",
    help: "password or access token of the user",
    kind: kinds.text,
    isSecret: true,
  },
  registryPasswordFile: {
    value: "path",
    help: "file that holds the password; read again when it is sent",
    kind: kinds.path,
  },
  registryInsecure: {
    help: "use http instead of https for the registry",
    kind: kinds.boolean,
    default: "false",
  },
  registryCaCertPath: {
    value: "path",
    help:
      "PEM file of a private certificate authority to trust for the registry (the system's are not)",
    kind: kinds.path,
  },
  registryTimeout: {
    value: "duration",
    help: "how long the registry may make no progress",
    kind: kinds.duration({ minMs: 1 }),
    default: "30s",
  },
  registryConcurrency: {
    value: "requests",
    help: "how many requests the registry gets at once",
    kind: kinds.wholeNumber("requests", { min: 1, max: 1000 }),
    default: "8",
  },
  layoutDir: {
    value: "path",
    help:
      "folder of OCI image layouts, one per device, to read firmware from instead of a registry",
    kind: kinds.path,
  },
  cosignPubKeyPath: {
    value: "path",
    help:
      "public key that firmware must be signed with, or a folder of such .pub files; any counts",
    kind: kinds.path,
    isList: true,
  },
  cosignAnnotation: {
    value: "name=value",
    help: "what every signature must note; {device} stands for the device's id",
    kind: kinds.assignment,
    isList: true,
  },
  cosignMinSignatures: {
    value: "signers",
    help: "how many different keys or identities must have signed",
    kind: kinds.wholeNumber("signers", { min: 1, max: 16 }),
    default: "1",
  },
  cosignRequireVersion: {
    help: "whether the version must be signed, too, and stay the same firmware",
    kind: kinds.boolean,
    default: "false",
  },
  cosignCertificateIdentity: {
    value: "identity",
    help: "whose certificates count without a key, such as an e-mail address or a workflow's URL",
    kind: kinds.text,
  },
  cosignCertificateIdentityRegexp: {
    value: "expression",
    help: "whose certificates count without a key: the whole identity must match",
    kind: kinds.wholeMatch,
  },
  cosignCertificateOidcIssuer: {
    value: "url",
    help: "who must have told the identity to the certificate authority, exactly",
    kind: kinds.text,
  },
  cosignTrustedRootPath: {
    value: "path",
    help: "Sigstore's trusted root (trusted_root.json), for signatures without a key",
    kind: kinds.path,
  },
  listenAddr: {
    value: "address",
    help: "where devices are answered",
    kind: kinds.listenAddress,
    default: "0.0.0.0:8080",
  },
  metricsListenAddr: {
    value: "address",
    help: "where Prometheus metrics are served",
    kind: kinds.listenAddress,
    default: "0.0.0.0:9090",
  },
  cacheSize: {
    value: "devices",
    help: "how many devices are kept in memory, the least recently used goes first",
    kind: kinds.wholeNumber("devices", { min: 1, max: 1_000_000 }),
    default: "100",
  },
  cacheDir: {
    value: "path",
    help: "folder to keep firmware in over restarts; without it, what systemd sets, or memory",
    kind: kinds.path,
  },
  cacheMaxBytes: {
    value: "size",
    help: "the most that is kept, 1GiB in a folder and 256MiB in memory if not said otherwise",
    kind: kinds.bytes,
  },
  refreshInterval: {
    value: "duration",
    help: "how often the registry is asked for newer firmware; 0 asks on every request",
    kind: kinds.duration({ minMs: 0 }),
    default: "60s",
  },
  trackFor: {
    value: "duration",
    help: "how long a device is checked in the background after it was last asked for",
    kind: kinds.duration({ minMs: 0 }),
    default: "24h",
  },
  unknownFor: {
    value: "duration",
    help: "how long a device that the registry does not know is answered without asking again",
    kind: kinds.duration({ minMs: 0 }),
    default: "10s",
  },
  noDowngrade: {
    help: "refuse a lower version than the highest that a device was ever served",
    kind: kinds.boolean,
    default: "false",
  },
  defaultConstraint: {
    value: "range",
    help: "which versions devices get that do not say it themselves",
    kind: kinds.constraint,
  },
  prerelease: {
    value: "bool",
    help: "whether pre-releases count; without it they do, but in a range only those that it names",
    kind: kinds.boolean,
  },
  maxFirmwareSize: {
    value: "size",
    help: "larger firmware is refused before it is downloaded",
    kind: kinds.firmwareSize,
    default: "256MiB",
  },
  webhookSecretFile: {
    value: "path",
    help: "file that holds the secret which registries' webhooks have to know; open without",
    kind: kinds.path,
  },
  idleTimeout: {
    value: "duration",
    help: "how long a device may take nothing of a download before it is cut off",
    kind: kinds.duration({ minMs: 100 }),
    default: "60s",
  },
  corsOrigin: {
    value: "origin",
    help: "whose pages may read answers in a browser, to flash from there: an origin, or *",
    kind: kinds.origin,
    isList: true,
  },
  maxDownloads: {
    value: "downloads",
    help: "how many run at once; other devices are told when to come back",
    kind: kinds.wholeNumber("downloads", { min: 1, max: 100_000 }),
    default: "200",
  },
  tlsCertPath: {
    value: "path",
    help: "PEM file of the certificate to answer devices with by https, and those between",
    kind: kinds.path,
  },
  tlsKeyPath: {
    value: "path",
    help: "PEM file of the certificate's key",
    kind: kinds.path,
  },
  deviceTokenFile: {
    value: "path",
    help: "file of the tokens and passwords of devices, one a line; without it, none is asked for",
    kind: kinds.path,
  },
  mqttUrl: {
    value: "url",
    help: "MQTT broker to announce firmware at; nothing is announced without",
    kind: kinds.mqttUrl,
  },
  mqttUsername: {
    value: "name",
    help: "user of the broker; anonymous without",
    kind: kinds.text,
  },
  mqttPassword: {
    value: "secret",
    help: "password of the broker's user",
    kind: kinds.text,
    isSecret: true,
  },
  mqttPasswordFile: {
    value: "path",
    help: "file that holds the password of the broker's user; read again when it is sent",
    kind: kinds.path,
  },
  mqttTopic: {
    value: "topic",
    help: "what precedes the device id in a topic; empty makes topics that begin with a slash",
    kind: kinds.mqttTopic,
  },
  mqttProtocol: {
    value: "version",
    help: "MQTT version; after 5 comes 3.1.1 where the broker does not know it",
    kind: kinds.oneOf(["5", "3.1.1"]),
    default: "5",
  },
  mqttCaCertPath: {
    value: "path",
    help: "PEM file of a private certificate authority to trust for the broker; makes it TLS",
    kind: kinds.path,
  },
  mqttClientCertPath: {
    value: "path",
    help: "PEM file of the certificate that the broker knows us by; the key must be given, too",
    kind: kinds.path,
  },
  mqttClientKeyPath: {
    value: "path",
    help: "PEM file of the key to that certificate",
    kind: kinds.path,
  },
  publicUrl: {
    value: "url",
    help: "where devices reach this service; announcements then say where the firmware is",
    kind: kinds.publicUrl,
  },
  homeassistantDiscoveryPrefix: {
    value: "topic",
    help: "topic below which Home Assistant finds devices, usually homeassistant; off without",
    kind: kinds.mqttTopic,
  },
  logLevel: {
    value: "level",
    help: "the least important records that are logged",
    kind: kinds.oneOf(LOG_LEVELS),
    default: "info",
  },
  logFormat: {
    value: "format",
    help: "how a record looks: a line for people or a JSON object",
    kind: kinds.oneOf(LOG_FORMATS),
    default: "text",
  },
} as const satisfies Readonly<Record<string, Setting>>;

/** What systemd's `CacheDirectory=` sets: folders, parted by colons. */
export const SYSTEMD_CACHE_VARIABLE = "CACHE_DIRECTORY";

/** What an executable brings along, see deploy/compile.ts: the commit that it was made of. */
export const COMMIT_VARIABLE = "OTAFLUX_COMMIT";

/** A key of {@linkcode SETTINGS}. */
export type SettingKey = keyof typeof SETTINGS;

/** All settings' values by their keys; undefined is off, and so is an empty list. */
export type SettingValues = {
  readonly [K in SettingKey]: SettingValue<(typeof SETTINGS)[K]>;
};

/** What a setting gives: a value, or the values of a list. */
export type SettingValue<S extends Setting> = S extends { readonly isList: true }
  ? readonly ReturnType<S["kind"]["parse"]>[]
  :
    | ReturnType<S["kind"]["parse"]>
    | (S extends { readonly default: string } ? never : undefined);

/**
 * The flag of a setting.
 *
 * @param key Its key, such as `registryUrl`.
 * @returns For example `--registry-url`.
 */
export function flagOf(key: string): string {
  return `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/**
 * The environment variable of a setting.
 *
 * @param key Its key, such as `registryUrl`.
 * @returns For example `REGISTRY_URL`.
 */
export function variableOf(key: string): string {
  return flagOf(key).slice(2).replaceAll("-", "_").toUpperCase();
}
