import assert from "node:assert/strict";
import type { Config } from "../../src/config/config.ts";
import { complaintIn, configIn } from "../helpers/config.ts";

/** A certificate, self-signed and good for a hundred years, and its key. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBezCCASGgAwIBAgIUS0GQugAqYEo8zDJzmnRbw/qS6P8wCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHZ2F0ZXdheTAgFw0yNjExMjQxMTI4NDZaGA8yMTI2MTAzMTEx
Mjg0NlowEjEQMA4GA1UEAwwHZ2F0ZXdheTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABJLtyZfmPjvNsSH8COfO9cIXVoaYXmuDUqZPTtUhtKmRIDbDu0N4JuEz0nOe
3UIw7ADYYHDdeMwJoToAmyC+VfWjUzBRMB0GA1UdDgQWBBSgWy5nvdATv2VZ7xuS
7sIphIUciTAfBgNVHSMEGDAWgBSgWy5nvdATv2VZ7xuS7sIphIUciTAPBgNVHRMB
Af8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIBQHeHbuM42RpO2tjBudXD+yD7rg
sUvTwBuiqonZhO+1AiEA71ZU1d3rAc/GcUoHN837lk8p8lHZENS4LQ2SUgbbaKc=
-----END CERTIFICATE-----
`;
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgszTJm20xNcI1KbTH
RbEgV9RRCaP/rh6Hqfc49yKOPFyhRANCAASS7cmX5j47zbEh/AjnzvXCF1aGmF5r
g1KmT07VIbSpkSA2w7tDeCbhM9Jznt1CMOwA2GBw3XjMCaE6AJsgvlX1
-----END PRIVATE KEY-----
`;

const FILES: Readonly<Record<string, string>> = {
  "/cert.pem": CERTIFICATE,
  "/key.pem": KEY,
  "/password": "sesame\n",
  "/nonsense": "nonsense",
};

type MqttConfig = NonNullable<Config["mqtt"]>;

function read(args: readonly string[], env: Readonly<Record<string, string>> = {}): Config {
  return configIn({ env, files: FILES }, ["--registry-url=registry.example", ...args]);
}

function mqttOf(args: readonly string[], env: Readonly<Record<string, string>> = {}): MqttConfig {
  const { mqtt } = read(args, { MQTT_URL: "mqtt://broker", ...env });
  assert(mqtt !== undefined);
  return mqtt;
}

function complaintOf(args: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  return complaintIn({ env, files: FILES }, ["--registry-url=registry.example", ...args]);
}

Deno.test("readConfig() has no broker without an address, whatever else is said", () => {
  const args = ["--mqtt-topic=a", "--mqtt-username=b", "--mqtt-password=c"];
  assert.equal(read(args, { PUBLIC_URL: "http://d" }).mqtt, undefined);
});

Deno.test("readConfig() has defaults for all but the broker's address", () => {
  assert.deepEqual(mqttOf([]), {
    address: { protocol: "mqtt", hostname: "broker", port: 1883, path: "" },
    tls: { caCertificates: [], client: undefined },
    credentials: undefined,
    passwordFile: undefined,
    clientId: undefined,
    protocol: 5,
    topic: "",
    publicUrl: undefined,
    homeAssistantPrefix: undefined,
  });
});

for (
  const [url, protocol, hostname, port, path] of [
    ["mqtt://broker", "mqtt", "broker", 1883, ""],
    ["mqtt://broker:1/", "mqtt", "broker", 1, ""],
    ["mqtts://broker", "mqtts", "broker", 8883, ""],
    ["ws://broker", "ws", "broker", 80, "/"],
    ["wss://broker/mqtt?a=b&client_id=c", "wss", "broker", 443, "/mqtt?a=b"],
    ["MQTT://10.0.0.1", "mqtt", "10.0.0.1", 1883, ""],
    ["mqtts://[::1]:2", "mqtts", "::1", 2, ""],
    ["ws://user:p@broker:9001/", "ws", "broker", 9001, "/"],
  ] as const
) {
  Deno.test(`readConfig() reads the broker ${url}`, () => {
    const address = { protocol, hostname, port, path };
    assert.deepEqual(mqttOf([`--mqtt-url=${url}`]).address, address);
    assert.deepEqual(mqttOf([], { MQTT_URL: url }).address, address);
  });
}

Deno.test("readConfig() takes a certificate for a wish for TLS, on the same port", () => {
  const client = ["--mqtt-client-cert-path=/cert.pem", "--mqtt-client-key-path=/key.pem"];
  const { address, tls } = mqttOf(client);
  assert.deepEqual([address.protocol, address.port], ["mqtts", 1883]);
  assert.deepEqual(tls, {
    caCertificates: [],
    client: { certificate: CERTIFICATE.trim(), key: KEY },
  });
  const ca = ["--mqtt-ca-cert-path=/cert.pem", "--mqtt-url=ws://broker:9001"];
  assert.deepEqual(mqttOf(ca).tls.caCertificates, [CERTIFICATE.trim()]);
  assert.equal(mqttOf(ca).address.protocol, "wss");
});

Deno.test("readConfig() reads the client id, the topic, the protocol and where devices reach us", () => {
  const mqtt = mqttOf([
    ...["--mqtt-url=mqtt://broker?client_id=gateway%201", "--mqtt-topic=firmware/updates"],
    ...["--mqtt-protocol=3.1.1", "--public-url=https://ota.example/a/"],
    "--homeassistant-discovery-prefix=homeassistant",
  ]);
  assert.equal(mqtt.clientId, "gateway 1");
  assert.equal(mqtt.topic, "firmware/updates");
  assert.equal(mqtt.protocol, 4);
  assert.equal(mqtt.publicUrl, "https://ota.example/a");
  assert.equal(mqtt.homeAssistantPrefix, "homeassistant");
});

for (
  const [what, args, env, credentials] of [
    ["nobody", [], {}, undefined],
    ["a flag", ["--mqtt-username=u", "--mqtt-password=p"], {}, ["u", "p"]],
    ["variables", [], { MQTT_USERNAME: "u", MQTT_PASSWORD: "p" }, ["u", "p"]],
    ["no password", ["--mqtt-username=u"], {}, ["u", ""]],
    ["a file", ["--mqtt-username=u", "--mqtt-password-file=/password"], {}, ["u", "sesame"]],
    [
      "a file before a variable",
      ["--mqtt-username=u", "--mqtt-password-file=/password"],
      { MQTT_PASSWORD: "p" },
      ["u", "sesame"],
    ],
    ["the address", ["--mqtt-url=mqtt://a%40b:c%2Fd@broker"], {}, ["a@b", "c/d"]],
    ["a flag before the address", ["--mqtt-url=mqtt://a:b@c", "--mqtt-username=u"], {}, ["u", ""]],
  ] as const
) {
  Deno.test(`readConfig() has the broker's user of ${what}`, () => {
    const [username, password] = credentials ?? [];
    const expected = credentials && { username, password };
    assert.deepEqual(mqttOf(args, env).credentials, expected);
  });
}

for (
  const [args, message] of [
    [["--mqtt-url=broker:1883"], /^--mqtt-url: "broker:1883" is not valid, it takes mqtt:\/\//],
    [["--mqtt-url=http://broker"], /it takes mqtt:\/\//],
    [["--mqtt-url=mqtt://"], /it takes mqtt:\/\//],
    [["--mqtt-url=mqtt://broker/path"], /it takes mqtt:\/\//],
    [["--mqtt-url=mqtt://broker?clientid=a"], /it takes mqtt:\/\//],
    [["--mqtt-url=ws://broker#a"], /it takes mqtt:\/\//],
    [
      ["--mqtt-topic=a/+"],
      /^--mqtt-topic: "a\/\+" is not valid, it takes a topic without \+ and #$/,
    ],
    [["--mqtt-topic=a/#"], /without \+ and #/],
    [["--mqtt-topic=a\0"], /without \+ and #/],
    [[`--mqtt-topic=${"a".repeat(1001)}`], /without \+ and #/],
    [["--homeassistant-discovery-prefix=#"], /without \+ and #/],
    [["--mqtt-protocol=4"], /it takes one of 5, 3\.1\.1$/],
    [["--public-url=ota.example"], /it takes https:\/\/host/],
    [["--public-url=https://a?b"], /it takes https:\/\/host/],
    [["--mqtt-client-cert-path=/cert.pem"], /^Of --mqtt-client-cert-path and .* only one is given/],
    [["--mqtt-client-key-path=/key.pem"], /only one is given, want both or none$/],
    [
      ["--mqtt-client-cert-path=/cert.pem", "--mqtt-client-key-path=/nonsense"],
      /^--mqtt-client-key-path: "\/nonsense" is not valid, it takes a file with a private key in PEM/,
    ],
    [
      ["--mqtt-client-cert-path=/key.pem", "--mqtt-client-key-path=/key.pem"],
      /^--mqtt-client-cert-path: "\/key\.pem" is not valid, it takes a file with certificates in PEM$/,
    ],
    [["--mqtt-url=mqtt://a", "--mqtt-ca-cert-path=/nonsense"], /a file with certificates in PEM$/],
    [["--mqtt-password=secret", "--mqtt-password-file=/password"], /exclude each other$/],
    [["--mqtt-password=secret"], /belongs to nobody, want --mqtt-username with it$/],
    [["--mqtt-username=u", "--mqtt-password-file=/nowhere"], /cannot read "\/nowhere"/],
  ] as const
) {
  Deno.test(`readConfig() refuses ${args.join(" ").slice(0, 80)}`, () => {
    const complaint = complaintOf(args);
    assert.match(complaint, message);
    assert.doesNotMatch(complaint, /secret/);
  });
}

for (
  const url of [
    "mqtt://user:secret@broker/path",
    "http://user:secret@broker",
    "mqtt://:secret@broker",
    "mqtt://user:%secret@broker",
    "mqtt://broker?password=secret",
  ]
) {
  Deno.test(`readConfig() does not repeat the password of ${url}`, () => {
    for (
      const complaint of [complaintOf([`--mqtt-url=${url}`]), complaintOf([], { MQTT_URL: url })]
    ) {
      assert.match(complaint, /it takes mqtt:\/\//);
      assert.doesNotMatch(complaint, /secret/);
    }
  });
}
