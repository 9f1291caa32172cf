/**
 * Settings that say nothing, given the others: nothing that was meant is passed over in silence.
 *
 * @module
 */

import {
  flagOf,
  type Setting,
  type SettingKey,
  SETTINGS,
  type SettingValues,
  variableOf,
} from "./settings.ts";
import { UsageError } from "./usage.ts";

/** By what each setting was given; those that have their defaults are not in it. */
export type Origins = ReadonlyMap<SettingKey, "flag" | "variable">;

/** All settings as they were read. */
export interface ReadSettings {
  /** What each is. */
  readonly values: SettingValues;
  /** Where that is from. */
  readonly origins: Origins;
}

/** What is wrong with settings, where it is. */
interface Rule {
  /** The settings, each of which is complained of by itself. */
  readonly keys: readonly SettingKey[];
  /** Whether they say nothing. */
  readonly isIdle: (values: SettingValues) => boolean;
  /** Follows the name of the setting. */
  readonly complaint: string;
  /**
   * Whether a flag is refused. Not those that the Rust OtaFlux has, and passes over: its lines go on
   * working. Variables never are: files of them are shared, and parts of them switched off.
   */
  readonly isRefused: boolean;
}

const hasPassword = (values: SettingValues): boolean =>
  Boolean(values.registryPassword) || values.registryPasswordFile !== undefined;

const WITHOUT_BROKER = {
  isIdle: ({ mqttUrl }: SettingValues): boolean => mqttUrl === undefined,
  complaint: "says nothing without a broker, want --mqtt-url as well",
};

const RULES: readonly Rule[] = [
  {
    ...WITHOUT_BROKER,
    keys: ["mqttPasswordFile", "mqttProtocol", "publicUrl", "homeassistantDiscoveryPrefix"],
    isRefused: true,
  },
  {
    ...WITHOUT_BROKER,
    keys: [
      ...["mqttUsername", "mqttPassword", "mqttTopic"] as const,
      ...["mqttCaCertPath", "mqttClientCertPath", "mqttClientKeyPath"] as const,
    ],
    isRefused: false,
  },
  {
    keys: [
      ...["registryUsername", "registryPassword", "registryPasswordFile"] as const,
      ...["registryInsecure", "registryCaCertPath", "registryTimeout"] as const,
    ],
    isIdle: ({ layoutDir }) => layoutDir !== undefined,
    complaint: "says nothing about --layout-dir, which asks no registry",
    isRefused: true,
  },
  {
    keys: ["registryUsername"],
    isIdle: (values) => values.layoutDir === undefined && !hasPassword(values),
    complaint: "has no password, want --registry-password-file as well",
    // The Rust OtaFlux wants both, and who needs neither gives an empty one.
    isRefused: false,
  },
  {
    keys: ["registryPassword", "registryPasswordFile"],
    isIdle: ({ layoutDir, registryUsername }) => layoutDir === undefined && !registryUsername,
    complaint: "belongs to no user, want --registry-username as well",
    isRefused: false,
  },
  {
    keys: ["registryCaCertPath"],
    isIdle: ({ registryUrl = "", registryInsecure }) =>
      registryInsecure || /^http:/i.test(registryUrl),
    complaint: "says nothing about a registry that is asked by http",
    isRefused: true,
  },
  {
    keys: ["trackFor"],
    isIdle: ({ refreshInterval }) => refreshInterval === 0,
    complaint: "says nothing with --refresh-interval 0, which checks nothing in the background",
    isRefused: true,
  },
];

/**
 * Looks for settings that say nothing.
 *
 * @param settings All settings.
 * @returns A sentence about each that is passed over, without full stop.
 * @throws {UsageError} A flag that must be a mistake.
 */
export function findMisfits({ values, origins }: ReadSettings): readonly string[] {
  const warnings: string[] = [];
  for (const { keys, isIdle, complaint, isRefused } of RULES) {
    if (!isIdle(values)) continue;
    for (const key of keys) {
      const origin = origins.get(key);
      if (origin === undefined || isAsWithout(key, values)) continue;
      if (isRefused && origin === "flag") throw new UsageError(`${flagOf(key)} ${complaint}`);
      warnings.push(`${origin === "flag" ? flagOf(key) : variableOf(key)} ${complaint}`);
    }
  }
  return warnings;
}

/** Whether all would be the same without the setting: it is empty, or what it is by itself. */
function isAsWithout(key: SettingKey, values: SettingValues): boolean {
  const setting: Setting = SETTINGS[key];
  const value: unknown = values[key];
  return value === "" ||
    setting.default !== undefined && value === setting.kind.parse(setting.default);
}
