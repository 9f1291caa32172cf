import assert from "node:assert/strict";
import denoJson from "../../deno.json" with { type: "json" };
import {
  COMMIT_VARIABLE,
  flagOf,
  type Setting,
  SETTINGS,
  SYSTEMD_CACHE_VARIABLE,
  variableOf,
} from "../../src/config/settings.ts";

/** What the Rust OtaFlux has: its users' units and scripts go on working. */
const NAMES = [
  ["--registry-url", "REGISTRY_URL"],
  ["--repository-prefix", "REPOSITORY_PREFIX"],
  ["--registry-username", "REGISTRY_USERNAME"],
  ["--registry-password", "REGISTRY_PASSWORD"],
  ["--registry-insecure", "REGISTRY_INSECURE"],
  ["--listen-addr", "LISTEN_ADDR"],
  ["--metrics-listen-addr", "METRICS_LISTEN_ADDR"],
  ["--cache-size", "CACHE_SIZE"],
  ["--cosign-pub-key-path", "COSIGN_PUB_KEY_PATH"],
  ["--mqtt-url", "MQTT_URL"],
  ["--mqtt-username", "MQTT_USERNAME"],
  ["--mqtt-password", "MQTT_PASSWORD"],
  ["--mqtt-topic", "MQTT_TOPIC"],
  ["--mqtt-ca-cert-path", "MQTT_CA_CERT_PATH"],
  ["--mqtt-client-cert-path", "MQTT_CLIENT_CERT_PATH"],
  ["--mqtt-client-key-path", "MQTT_CLIENT_KEY_PATH"],
  ["--log-level", "LOG_LEVEL"],
];

Deno.test("SETTINGS have the flags and variables of the Rust OtaFlux", () => {
  const names = Object.keys(SETTINGS).map((key) => `${flagOf(key)} ${variableOf(key)}`);
  const missing = NAMES.filter(([flag, variable]) => !names.includes(`${flag} ${variable}`));
  assert.deepEqual(missing, []);
});

Deno.test("SETTINGS have defaults that their own kind takes", () => {
  for (const setting of Object.values<Setting>(SETTINGS)) {
    if (setting.default !== undefined) setting.kind.parse(setting.default);
  }
});

Deno.test("SETTINGS keep every password out of messages", () => {
  const secrets = Object.entries<Setting>(SETTINGS).filter(([key, { isSecret, value }]) =>
    isSecret || value === "secret" || /(password|token|secret)$/i.test(key)
  );
  assert(secrets.length > 0);
  for (const [key, setting] of secrets) {
    assert.equal(setting.isSecret, true, key);
    assert.equal(setting.default, undefined, key);
  }
});

Deno.test("The start task may read exactly the variables of SETTINGS, systemd's and the commit's", () => {
  const [, list = ""] = /--allow-env=(\S+)/.exec(denoJson.tasks.start.command) ?? [];
  const variables = [
    ...Object.keys(SETTINGS).map(variableOf),
    ...[SYSTEMD_CACHE_VARIABLE, COMMIT_VARIABLE],
  ];
  assert.deepEqual(list.split(",").toSorted(), variables.toSorted());
});
