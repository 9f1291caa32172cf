/**
 * Whether and where firmware is announced.
 *
 * @module
 */

import { readCertificates, readPrivateKey } from "./certificates.ts";
import type { SettingValues } from "./settings.ts";
import { type FileAccess, readPassword, UsageError } from "./usage.ts";

/** Where the broker is, and what is published there. */
export interface MqttConfig {
  /** Where the broker is. */
  readonly address: {
    /** How it is reached. */
    readonly protocol: "mqtt" | "mqtts" | "ws" | "wss";
    /** A name or an IP address, without brackets. */
    readonly hostname: string;
    /** Its port. */
    readonly port: number;
    /** Path and query of a WebSocket; empty otherwise. */
    readonly path: string;
  };
  /** What TLS is made with. */
  readonly tls: {
    /** Certificates in PEM that are trusted; those of public authorities where there are none. */
    readonly caCertificates: readonly string[];
    /** Who we are, in PEM. */
    readonly client: { readonly certificate: string; readonly key: string } | undefined;
  };
  /** Who we are there; anonymous without. */
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  /** Where the password is read again; undefined where it is always the same. */
  readonly passwordFile: string | undefined;
  /** Our name there; a new one for each process without. */
  readonly clientId: string | undefined;
  /** The protocol's level as it goes over the wire: MQTT 5, or 4 for MQTT 3.1.1. */
  readonly protocol: 5 | 4;
  /** What precedes the device in a topic; may be empty. */
  readonly topic: string;
  /** Where devices reach the service, without a slash at the end. */
  readonly publicUrl: string | undefined;
  /** Below what Home Assistant finds devices. */
  readonly homeAssistantPrefix: string | undefined;
}

const DEFAULT_PORTS = { mqtt: 1883, mqtts: 8883, ws: 80, wss: 443 } as const;

/** What a certificate makes of a protocol: nobody gives one for a connection that needs none. */
const WITH_TLS = { mqtt: "mqtts", mqtts: "mqtts", ws: "wss", wss: "wss" } as const;

/**
 * Reads all that concerns the broker.
 *
 * @param values All settings.
 * @param files Access to files.
 * @returns What is meant; undefined where nothing is announced.
 * @throws {UsageError} For the first thing that is wrong.
 */
export function resolveMqtt(values: SettingValues, files: FileAccess): MqttConfig | undefined {
  const client = resolveClient(values, files);
  const credentials = resolveCredentials(values, files);
  const { mqttUrl: url, mqttCaCertPath: caPath } = values;
  if (url === undefined) return undefined;
  const caCertificates = caPath === undefined
    ? []
    : readCertificates("--mqtt-ca-cert-path", caPath, files);
  return {
    address: addressOf(url, caCertificates.length > 0 || client !== undefined),
    tls: { caCertificates, client },
    credentials: credentials ?? credentialsOf(url),
    passwordFile: values.mqttPasswordFile,
    clientId: url.searchParams.get("client_id") || undefined,
    protocol: values.mqttProtocol === "5" ? 5 : 4,
    topic: values.mqttTopic ?? "",
    publicUrl: values.publicUrl?.replace(/\/+$/, ""),
    homeAssistantPrefix: values.homeassistantDiscoveryPrefix,
  };
}

function addressOf(url: URL, isSecure: boolean): MqttConfig["address"] {
  const scheme = url.protocol.slice(0, -1) as keyof typeof DEFAULT_PORTS;
  const query = new URLSearchParams(url.searchParams);
  query.delete("client_id");
  const isWebSocket = scheme.startsWith("ws");
  return {
    protocol: isSecure ? WITH_TLS[scheme] : scheme,
    hostname: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    // Of the scheme that was written: a certificate changes no port.
    port: url.port === "" ? DEFAULT_PORTS[scheme] : Number(url.port),
    path: isWebSocket ? `${url.pathname || "/"}${query.size > 0 ? `?${query}` : ""}` : "",
  };
}

function credentialsOf(url: URL): MqttConfig["credentials"] {
  if (url.username === "") return undefined;
  return {
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
}

function resolveCredentials(values: SettingValues, files: FileAccess): MqttConfig["credentials"] {
  const { mqttUsername: username = "", mqttPassword, mqttPasswordFile: file } = values;
  if (mqttPassword && file !== undefined) {
    throw new UsageError("--mqtt-password and --mqtt-password-file exclude each other");
  }
  const password = file === undefined
    ? mqttPassword ?? ""
    : readPassword("--mqtt-password-file", file, files);
  if (username !== "") return { username, password };
  if (password === "") return undefined;
  // MQTT 3.1.1, 3.1.2.9: no password without a user name.
  throw new UsageError("The password for MQTT belongs to nobody, want --mqtt-username with it");
}

function resolveClient(
  { mqttClientCertPath: certPath, mqttClientKeyPath: keyPath }: SettingValues,
  files: FileAccess,
): MqttConfig["tls"]["client"] {
  if (certPath === undefined && keyPath === undefined) return undefined;
  if (certPath === undefined || keyPath === undefined) {
    throw new UsageError(
      "Of --mqtt-client-cert-path and --mqtt-client-key-path only one is given, want both or none",
    );
  }
  return {
    certificate: readCertificates("--mqtt-client-cert-path", certPath, files).join("\n"),
    key: readPrivateKey("--mqtt-client-key-path", keyPath, files),
  };
}
