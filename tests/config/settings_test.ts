import assert from "node:assert/strict";
import denoJson from "../../deno.json" with { type: "json" };
import {
  flagOf,
  type Setting,
  SETTINGS,
  SYSTEMD_CACHE_VARIABLE,
  variableOf,
} from "../../src/config/settings.ts";

const NAMES = {
  registryUrl: ["--registry-url", "REGISTRY_URL"],
  repositoryPrefix: ["--repository-prefix", "REPOSITORY_PREFIX"],
  registryUsername: ["--registry-username", "REGISTRY_USERNAME"],
  registryPassword: ["--registry-password", "REGISTRY_PASSWORD"],
  registryPasswordFile: ["--registry-password-file", "REGISTRY_PASSWORD_FILE"],
  registryInsecure: ["--registry-insecure", "REGISTRY_INSECURE"],
  registryCaCertPath: ["--registry-ca-cert-path", "REGISTRY_CA_CERT_PATH"],
  registryTimeout: ["--registry-timeout", "REGISTRY_TIMEOUT"],
  registryConcurrency: ["--registry-concurrency", "REGISTRY_CONCURRENCY"],
  layoutDir: ["--layout-dir", "LAYOUT_DIR"],
  listenAddr: ["--listen-addr", "LISTEN_ADDR"],
  metricsListenAddr: ["--metrics-listen-addr", "METRICS_LISTEN_ADDR"],
  cacheSize: ["--cache-size", "CACHE_SIZE"],
  cacheDir: ["--cache-dir", "CACHE_DIR"],
  cacheMaxBytes: ["--cache-max-bytes", "CACHE_MAX_BYTES"],
  refreshInterval: ["--refresh-interval", "REFRESH_INTERVAL"],
  trackFor: ["--track-for", "TRACK_FOR"],
  unknownFor: ["--unknown-for", "UNKNOWN_FOR"],
  maxFirmwareSize: ["--max-firmware-size", "MAX_FIRMWARE_SIZE"],
  idleTimeout: ["--idle-timeout", "IDLE_TIMEOUT"],
  mqttUrl: ["--mqtt-url", "MQTT_URL"],
  mqttUsername: ["--mqtt-username", "MQTT_USERNAME"],
  mqttPassword: ["--mqtt-password", "MQTT_PASSWORD"],
  mqttPasswordFile: ["--mqtt-password-file", "MQTT_PASSWORD_FILE"],
  mqttTopic: ["--mqtt-topic", "MQTT_TOPIC"],
  mqttProtocol: ["--mqtt-protocol", "MQTT_PROTOCOL"],
  mqttCaCertPath: ["--mqtt-ca-cert-path", "MQTT_CA_CERT_PATH"],
  mqttClientCertPath: ["--mqtt-client-cert-path", "MQTT_CLIENT_CERT_PATH"],
  mqttClientKeyPath: ["--mqtt-client-key-path", "MQTT_CLIENT_KEY_PATH"],
  publicUrl: ["--public-url", "PUBLIC_URL"],
  homeassistantDiscoveryPrefix: [
    "--homeassistant-discovery-prefix",
    "HOMEASSISTANT_DISCOVERY_PREFIX",
  ],
  logLevel: ["--log-level", "LOG_LEVEL"],
  logFormat: ["--log-format", "LOG_FORMAT"],
};

Deno.test("SETTINGS have the flags and variables that are promised to users", () => {
  const names = Object.keys(SETTINGS).map((key) => [key, [flagOf(key), variableOf(key)]]);
  assert.deepEqual(Object.fromEntries(names), NAMES);
});

Deno.test("SETTINGS have defaults that their own kind takes", () => {
  for (const setting of Object.values<Setting>(SETTINGS)) {
    if (setting.default !== undefined) setting.kind.parse(setting.default);
  }
});

Deno.test("SETTINGS keep every password out of messages", () => {
  const secrets = Object.entries<Setting>(SETTINGS)
    .filter(([, { isSecret, value }]) => isSecret || value === "secret");
  assert.deepEqual(secrets.map(([key]) => key), ["registryPassword", "mqttPassword"]);
  for (const [, setting] of secrets) {
    assert.equal(setting.isSecret, true);
    assert.equal(setting.default, undefined);
  }
});

Deno.test("The start task may read exactly the variables of SETTINGS, and systemd's", () => {
  const [, list = ""] = /--allow-env=(\S+)/.exec(denoJson.tasks.start.command) ?? [];
  const variables = [...Object.keys(SETTINGS).map(variableOf), SYSTEMD_CACHE_VARIABLE];
  assert.deepEqual(list.split(",").toSorted(), variables.toSorted());
});
