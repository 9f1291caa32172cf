import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { orasArtifact } from "../helpers/artifacts.ts";
import { type Certificates, makeCertificates } from "../helpers/certificates.ts";
import { withFolder } from "../helpers/disk.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { crc32Reference, firmwareBytes } from "../helpers/firmware_bytes.ts";
import {
  Mosquitto,
  type MosquittoOptions,
  mosquittoTools,
  type Received,
  type Subscriber,
} from "../helpers/mosquitto.ts";
import { Otaflux, runOtaflux } from "../helpers/otaflux.ts";
import * as faults from "../helpers/registry/faults.ts";
import { SUBJECT_LACKS_PRIVATE_WSS } from "../helpers/subject.ts";
import { WebSocketFront } from "../helpers/websocket_front.ts";

const tools = await mosquittoTools();

const CONNECTED = "MQTT broker is connected";
const LOST = "MQTT broker cannot be reached";
const PUBLISHED = "Published firmware notification";
const REFUSED = "Notification cannot be published, trying again later";

const USER = { username: "gateway", password: "correct horse/battery" };

interface Setup {
  readonly broker: Mosquitto;
  readonly registry: FakeRegistry;
}

function withBroker(
  name: string,
  test: (setup: Setup) => Promise<void>,
  options: MosquittoOptions = {},
): void {
  Deno.test({
    name: `mosquitto: ${name}`,
    ignore: "skip" in tools,
    fn: async () => {
      if ("skip" in tools) return;
      await using registry = new FakeRegistry();
      await using broker = await Mosquitto.start(tools, options);
      await test({ broker, registry });
    },
  });
}

function withCertificates(
  name: string,
  test: (certificates: Certificates) => Promise<void>,
  isLacking = false,
): void {
  Deno.test({
    name: `mosquitto: ${name}`,
    ignore: "skip" in tools || isLacking,
    fn: () => withFolder(async (folder) => await test(await makeCertificates(folder))),
  });
}

/** Checks behind so often that a push is found soon; tests wait for messages, not for time. */
function serviceFor({ registry, broker }: Setup, ...args: string[]): Promise<Otaflux> {
  return Otaflux.start({
    args: [
      ...["--registry-url", registry.origin, "--refresh-interval", "100ms"],
      ...["--mqtt-url", broker.url, "--mqtt-topic", "ota", ...args],
    ],
  });
}

async function ask(otaflux: Otaflux, device: string): Promise<string> {
  const response = await fetch(`${otaflux.origin}/version?device=${device}`);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return text.split("\n")[0] ?? "";
}

function push(registry: FakeRegistry, device: string, version: string): void {
  registry.push(device, version, orasArtifact(firmwareOf(version)));
}

function firmwareOf(version: string): Uint8Array {
  return firmwareBytes(1000, Number(version.replaceAll(".", "")));
}

/** The next message of a device and version. */
function told(subscriber: Subscriber, device: string, version: string): Promise<Received> {
  return subscriber.received(({ topic, payload }) =>
    topic === `ota/${device}` && versionIn(payload) === version
  );
}

function versionIn(payload: string): string | undefined {
  return payload.startsWith("{") ? JSON.parse(payload).version : undefined;
}

function messagesOf(subscriber: Subscriber, device: string): string[] {
  return subscriber.messages.filter(({ topic }) => topic === `ota/${device}`)
    .map(({ payload }) => versionIn(payload) ?? payload);
}

async function metric(otaflux: Otaflux, series: string): Promise<number> {
  const line = (await otaflux.metrics()).split("\n").find((line) => line.startsWith(`${series} `));
  return Number(line?.split(" ")[1]);
}

withBroker("a push is announced, retained, with all that a device needs", async (setup) => {
  const { broker, registry } = setup;
  await using subscriber = await broker.subscribe("ota/#");
  await using otaflux = await serviceFor(setup, "--public-url", "https://ota.example/");
  await otaflux.logged(CONNECTED, { protocol: "5" });
  push(registry, "garden/pump", "1.0.0");
  await ask(otaflux, "garden/pump");
  await told(subscriber, "garden/pump", "1.0.0");
  push(registry, "garden/pump", "1.1.0");
  const { payload, qos } = await told(subscriber, "garden/pump", "1.1.0");
  const bytes = firmwareOf("1.1.0");
  assert.equal(
    payload,
    `{"version":"1.1.0","size":1000,"crc32":${crc32Reference(bytes)},` +
      `"sha256":"${createHash("sha256").update(bytes).digest("hex")}",` +
      `"digest":"${orasArtifact(bytes).digest}",` +
      `"url":"https://ota.example/firmware?device=garden%2Fpump"}`,
  );
  assert.equal(qos, 1);
  await using late = await broker.subscribe("ota/garden/pump");
  const retained = await late.received(() => true);
  assert.deepEqual(retained, { topic: "ota/garden/pump", isRetained: true, qos: 1, payload });
  assert.equal(await metric(otaflux, "mqtt_connected"), 1);
  assert.equal(await metric(otaflux, "mqtt_pending"), 0);
  assert.equal(await metric(otaflux, `mqtt_published_total{result="confirmed"}`), 2);
});

withBroker("a topic of none begins with a slash, as the Rust OtaFlux has it", async (setup) => {
  push(setup.registry, "pump", "1.0.0");
  await using subscriber = await setup.broker.subscribe("#");
  await using otaflux = await serviceFor(setup, "--mqtt-topic", "");
  await ask(otaflux, "pump");
  await subscriber.received(({ topic }) => topic === "/pump");
  assert.equal(subscriber.messages[0]?.topic, "/$state");
});

withBroker("what fails verification is announced to nobody", async (setup) => {
  const { broker, registry } = setup;
  push(registry, "pump", "1.0.0");
  await using subscriber = await broker.subscribe("ota/#");
  await using otaflux = await serviceFor(setup);
  await ask(otaflux, "pump");
  await told(subscriber, "pump", "1.0.0");
  {
    using _fault = registry.fault({
      match: { kind: "blob" },
      respond: faults.corrupt(),
    });
    push(registry, "pump", "1.1.0");
    await otaflux.logged("Cannot check for a newer firmware, serving the known one");
  }
  registry.deleteTag("pump", "1.1.0");
  push(registry, "pump", "1.2.0");
  await told(subscriber, "pump", "1.2.0");
  assert.deepEqual(messagesOf(subscriber, "pump"), ["1.0.0", "1.2.0"]);
});

withBroker(
  "it says who is there: online, offline at the end, and offline when it is killed",
  async (setup) => {
    const states = (subscriber: Subscriber): string[] =>
      subscriber.messages.filter(({ topic }) => topic === "ota/$state").map(({ payload }) =>
        payload
      );
    await using subscriber = await setup.broker.subscribe("ota/#");
    {
      await using otaflux = await serviceFor(setup);
      await otaflux.logged(CONNECTED);
      await subscriber.received(({ payload }) => payload === "online");
    }
    assert.deepEqual(states(subscriber), ["online", "offline"]);
    await using otaflux = await serviceFor(setup);
    await subscriber.received(() => states(subscriber).length === 3);
    otaflux.signal("SIGKILL");
    await otaflux.ended();
    await subscriber.received(() => states(subscriber).length === 4);
    assert.deepEqual(states(subscriber), ["online", "offline", "online", "offline"]);
  },
);

withBroker("a restart announces nothing that is retained", async (setup) => {
  await withFolder(async (folder) => {
    const { broker, registry } = setup;
    push(registry, "pump", "1.0.0");
    await using subscriber = await broker.subscribe("ota/#");
    for (let start = 0; start < 2; start++) {
      await using otaflux = await serviceFor(setup, "--cache-dir", folder);
      await otaflux.logged(CONNECTED);
      assert.equal(await ask(otaflux, "pump"), "1.0.0");
      await told(subscriber, "pump", "1.0.0");
      await subscriber.received(() => subscriber.messages.length >= 2 * start + 2);
    }
    push(registry, "pump", "1.1.0");
    await using otaflux = await serviceFor(setup, "--cache-dir", folder);
    await ask(otaflux, "pump");
    await told(subscriber, "pump", "1.1.0");
    assert.deepEqual(messagesOf(subscriber, "pump"), ["1.0.0", "1.1.0"]);
  });
});

withBroker("a password is shown, and neither it nor a wrong one is logged", async (setup) => {
  push(setup.registry, "pump", "1.0.0");
  const url = new URL(setup.broker.url);
  url.username = USER.username;
  url.password = "of somebody else";
  {
    await using otaflux = await serviceFor(setup, "--mqtt-url", url.href);
    const { reason, next } = await otaflux.logged(LOST);
    assert.match(String(reason), /Not authorized/);
    assert.match(String(next), /^Give the user that the broker knows by --mqtt-username, /);
    const page = await (await fetch(`${otaflux.metricsOrigin}/`)).text();
    assert.ok(page.includes(String(reason)) && page.includes(String(next)));
    assert.doesNotMatch(page, /of somebody else|of%20somebody/);
    assert.doesNotMatch(JSON.stringify(otaflux.records), /of somebody else|of%20somebody/);
    assert.equal(await ask(otaflux, "pump"), "1.0.0");
    assert.equal(await metric(otaflux, "mqtt_connected"), 0);
    assert.equal(await metric(otaflux, "mqtt_pending"), 1);
  }
  url.password = encodeURIComponent(USER.password);
  for (
    const args of [
      ["--mqtt-url", url.href],
      ["--mqtt-username", USER.username, "--mqtt-password", USER.password],
    ]
  ) {
    await using otaflux = await serviceFor(setup, ...args);
    await otaflux.logged(CONNECTED);
    assert.doesNotMatch(JSON.stringify(otaflux.records), /correct/);
  }
}, { user: USER });

withBroker("a password that is changed in its file needs no restart", async (setup) => {
  await withFolder(async (folder) => {
    const path = join(folder, "password");
    await Deno.writeTextFile(path, "of yesterday\n");
    const args = ["--mqtt-username", USER.username, "--mqtt-password-file", path];
    await using otaflux = await serviceFor(setup, ...args);
    await otaflux.logged(LOST);
    await Deno.writeTextFile(path, `${USER.password}\n`);
    await otaflux.logged(CONNECTED);
    assert.doesNotMatch(JSON.stringify(otaflux.records), /yesterday|correct/);
  });
}, { user: USER });

for (const protocol of ["5", "3.1.1"]) {
  withBroker(`MQTT ${protocol} is spoken`, async (setup) => {
    push(setup.registry, "pump", "1.0.0");
    await using subscriber = await setup.broker.subscribe("ota/#");
    await using otaflux = await serviceFor(setup, "--mqtt-protocol", protocol);
    await otaflux.logged(CONNECTED, { protocol });
    await ask(otaflux, "pump");
    await told(subscriber, "pump", "1.0.0");
  });
}

withBroker("WebSockets lead there, too, with a path", async (setup) => {
  push(setup.registry, "pump", "1.0.0");
  await using front = new WebSocketFront(setup.broker.port);
  const url = `${front.url}/mqtt?tenant=a&client_id=gateway`;
  await using otaflux = await serviceFor(setup, "--mqtt-url", url);
  await otaflux.logged(CONNECTED);
  assert.deepEqual(front.asked, ["/mqtt?tenant=a mqtt"]);
  await ask(otaflux, "pump");
  await otaflux.logged(PUBLISHED, { device: "pump" });
});

withCertificates("wss:// wants an authority that is trusted", async (certificates) => {
  if ("skip" in tools) return;
  await using registry = new FakeRegistry();
  await using broker = await Mosquitto.start(tools);
  await using front = new WebSocketFront(broker.port, certificates);
  const args = ["--mqtt-url", front.url];
  {
    await using otaflux = await serviceFor({ registry, broker }, ...args);
    await refused(otaflux);
  }
  args.push("--mqtt-ca-cert-path", certificates.caPath);
  await using otaflux = await serviceFor({ registry, broker }, ...args);
  await otaflux.logged(CONNECTED);
}, SUBJECT_LACKS_PRIVATE_WSS);

withCertificates("mqtts:// wants an authority that is trusted", async (certificates) => {
  if ("skip" in tools) return;
  await using registry = new FakeRegistry();
  await using broker = await Mosquitto.start(tools, { tls: certificates });
  push(registry, "pump", "1.0.0");
  {
    await using otaflux = await serviceFor({ registry, broker });
    await refused(otaflux);
  }
  const ca = ["--mqtt-ca-cert-path", certificates.caPath];
  await using otaflux = await serviceFor({ registry, broker }, ...ca);
  await otaflux.logged(CONNECTED);
  await ask(otaflux, "pump");
  await otaflux.logged(PUBLISHED, { device: "pump" });
  // As the Rust OtaFlux has it: whoever names an authority means TLS.
  const url = broker.url.replace("mqtts:", "mqtt:");
  await using plain = await serviceFor({ registry, broker }, ...ca, "--mqtt-url", url);
  await plain.logged(CONNECTED);
});

withCertificates(
  "mqtts:// shows a certificate where the broker wants one",
  async (certificates) => {
    if ("skip" in tools) return;
    await using registry = new FakeRegistry();
    const tls = { ...certificates, isMutual: true };
    await using broker = await Mosquitto.start(tools, { tls });
    const ca = ["--mqtt-ca-cert-path", certificates.caPath];
    {
      await using otaflux = await serviceFor({ registry, broker }, ...ca);
      await otaflux.logged(LOST);
      assert.equal(await metric(otaflux, "mqtt_connected"), 0);
    }
    await using otaflux = await serviceFor(
      { registry, broker },
      ...ca,
      ...["--mqtt-client-cert-path", certificates.certPath],
      ...["--mqtt-client-key-path", certificates.keyPath],
    );
    await otaflux.logged(CONNECTED);
  },
);

/** The authority is not trusted, and that is said. */
async function refused(otaflux: Otaflux): Promise<void> {
  const { reason } = await otaflux.logged(LOST);
  assert.match(String(reason), /certificate|issuer/i);
}

Deno.test("only one of certificate and key ends it at the start", async () => {
  const { code, stderr } = await runOtaflux({
    args: [
      ...["--registry-url", "127.0.0.1:1", "--mqtt-url", "mqtts://127.0.0.1"],
      ...["--mqtt-client-key-path", "/nowhere"],
    ],
  });
  assert.equal(code, 2);
  assert.match(stderr, /^otaflux: Of --mqtt-client-cert-path and .* only one is given/);
});

withBroker(
  "a broker that is killed and comes back gets every device's last version",
  async (setup) => {
    const { broker, registry } = setup;
    const devices = Array.from({ length: 100 }, (_, index) => `device-${index}`);
    for (const device of devices) push(registry, device, "1.0.0");
    await using subscriber = await broker.subscribe("ota/#");
    await using otaflux = await serviceFor(setup);
    await otaflux.logged(CONNECTED);
    await Promise.all(devices.map((device) => ask(otaflux, device)));
    await Promise.all(devices.map((device) => told(subscriber, device, "1.0.0")));
    for (const device of devices.slice(0, 50)) push(registry, device, "1.1.0");
    // In the middle of these.
    await told(subscriber, "device-3", "1.1.0");
    await broker.kill();
    for (const device of devices.slice(50)) push(registry, device, "1.1.0");
    for (const device of devices) {
      await otaflux.logged("Fetched firmware", { device, version: "1.1.0" });
    }
    for (const device of devices) push(registry, device, "1.2.0");
    for (const device of devices) {
      await otaflux.logged("Fetched firmware", { device, version: "1.2.0" });
      assert.equal(await ask(otaflux, device), "1.2.0");
    }
    assert.equal(await metric(otaflux, "mqtt_pending"), 100);
    assert.equal(await metric(otaflux, "mqtt_connected"), 0);
    await broker.start();
    await Promise.all(devices.map((device) => told(subscriber, device, "1.2.0")));
    assert.equal(otaflux.records.filter(({ message }) => message === LOST).length, 1);
    await using late = await broker.subscribe("ota/#");
    await Promise.all(devices.map((device) => told(late, device, "1.2.0")));
  },
);

withBroker(
  "devices are served while the broker was never there, and it hears all later",
  async (setup) => {
    const { broker, registry } = setup;
    await broker.kill();
    push(registry, "pump", "1.0.0");
    await using otaflux = await serviceFor(setup);
    await otaflux.logged(LOST);
    assert.equal(await ask(otaflux, "pump"), "1.0.0");
    await broker.start();
    await otaflux.logged(PUBLISHED, { device: "pump" });
  },
);

withBroker("what waits outlasts SIGKILL", async (setup) => {
  await withFolder(async (folder) => {
    const { broker, registry } = setup;
    await broker.kill();
    push(registry, "pump", "1.0.0");
    push(registry, "garden/lamp", "2.0.0");
    {
      await using otaflux = await serviceFor(setup, "--cache-dir", folder);
      for (const device of ["pump", "garden/lamp"]) await ask(otaflux, device);
      await otaflux.logged("Notification is kept", { device: "pump" });
      await otaflux.logged("Notification is kept", { device: "garden/lamp" });
      otaflux.signal("SIGKILL");
      await otaflux.ended();
    }
    await broker.start();
    await using subscriber = await broker.subscribe("ota/#");
    await using otaflux = await serviceFor(setup, "--cache-dir", folder);
    // Nobody asks for them: what is known is from the folder.
    await told(subscriber, "pump", "1.0.0");
    await told(subscriber, "garden/lamp", "2.0.0");
    await otaflux.logged(PUBLISHED, { device: "garden/lamp" });
  });
});

withBroker(
  "three replicas: one finds the push, all have it, and it is published once",
  async (setup) => {
    const { broker, registry } = setup;
    push(registry, "garden/pump", "1.0.0");
    await using subscriber = await broker.subscribe("ota/#");
    // Of these two nobody asks the registry by himself.
    const idle = ["--refresh-interval", "1h"];
    await using first = await serviceFor(setup, ...idle);
    await using second = await serviceFor(setup, ...idle);
    await using finder = await serviceFor(setup);
    const replicas = [first, second, finder];
    await Promise.all(replicas.map((replica) => replica.logged(CONNECTED)));
    for (const replica of replicas) {
      assert.equal(await ask(replica, "garden/pump"), "1.0.0");
      await told(subscriber, "garden/pump", "1.0.0");
    }
    for (const version of ["1.1.0", "1.0.5", "2.0.0"]) {
      // It is there before: who has listed the tags a moment ago must not fall back any further.
      if (version === "1.1.0") push(registry, "garden/pump", "1.0.5");
      if (version === "1.0.5") registry.deleteTag("garden/pump", "1.1.0");
      else push(registry, "garden/pump", version);
      await told(subscriber, "garden/pump", version);
      for (const replica of replicas) {
        await replica.logged("Fetched firmware", { device: "garden/pump", version });
        assert.equal(await ask(replica, "garden/pump"), version);
      }
    }
    // The end of a replica shows that nothing comes behind.
    await first[Symbol.asyncDispose]();
    await subscriber.received(({ payload }) => payload === "offline");
    await subscriber.received(() => subscriber.messages.at(-1)?.payload === "online");
    assert.deepEqual(messagesOf(subscriber, "garden/pump"), ["1.0.0", "1.1.0", "1.0.5", "2.0.0"]);
  },
);

withBroker("strangers' topics make nobody ask the registry", async (setup) => {
  const { broker, registry } = setup;
  push(registry, "pump", "1.0.0");
  await using otaflux = await serviceFor(setup, "--refresh-interval", "1h");
  await otaflux.logged(CONNECTED);
  await ask(otaflux, "pump");
  await otaflux.logged(PUBLISHED, { device: "pump" });
  registry.forgetRequests();
  for (const topic of ["invented", "a/b/c", "$x/y", "UPPER"]) {
    await broker.publish(`ota/${topic}`, `{"version":"9.9.9"}`);
  }
  await broker.publish("ota/pump", "no message");
  const gate = registry.gate({ kind: "tags" });
  await broker.publish("ota/pump", `{"version":"9.9.9","digest":"sha256:00"}`);
  await gate.arrived();
  gate.open();
  assert.deepEqual(registry.requests.map(({ path }) => path), ["/v2/pump/tags/list?n=1000"]);
});

withBroker(
  "a broker that takes only short messages is left in peace, and that is said",
  async (setup) => {
    push(setup.registry, "pump", "1.0.0");
    await using otaflux = await serviceFor(setup);
    await ask(otaflux, "pump");
    const { reason, next } = await otaflux.logged(REFUSED, { device: "pump" });
    assert.match(String(reason), /^Packet too large .* 200 bytes$/);
    assert.match(String(next), /have it take 8 KB$/);
    assert.equal(await metric(otaflux, "mqtt_connected"), 1);
    assert.equal(await metric(otaflux, "mqtt_pending"), 1);
  },
  { lines: ["max_packet_size 200"] },
);

for (
  const [line, reason] of [
    ["retain_available false", "Connection refused: Retain not supported"],
    ["max_qos 0", "Connection refused: QoS not supported"],
  ] as const
) {
  withBroker(`a broker with ${line} is told from one that is away`, async (setup) => {
    await using otaflux = await serviceFor(setup);
    const record = await otaflux.logged(LOST);
    assert.equal(record.reason, reason);
    assert.match(String(record.next), /^The broker is set up to/);
  }, { lines: [line] });
}

Deno.test({
  name: "mosquitto: who may not publish is told so once, not for each device",
  ignore: "skip" in tools,
  fn: () =>
    withFolder(async (folder) => {
      if ("skip" in tools) return;
      await Deno.writeTextFile(`${folder}/access`, "topic read ota/#\n");
      await using registry = new FakeRegistry();
      await using broker = await Mosquitto.start(tools, { lines: [`acl_file ${folder}/access`] });
      for (const device of ["pump", "lamp"]) push(registry, device, "1.0.0");
      await using otaflux = await serviceFor({ registry, broker });
      await otaflux.logged(CONNECTED);
      for (const device of ["pump", "lamp"]) await ask(otaflux, device);
      const { next } = await otaflux.logged(REFUSED, { device: "pump" });
      assert.match(String(next), /access list .* below --mqtt-topic/);
      await otaflux.logged("Notification still cannot be published", { device: "lamp" });
    }),
});

withBroker("Home Assistant finds an entity for each device", async (setup) => {
  push(setup.registry, "garden/pump_2", "1.0.0");
  await using subscriber = await setup.broker.subscribe("#");
  await using otaflux = await serviceFor(
    setup,
    "--homeassistant-discovery-prefix",
    "homeassistant",
  );
  await ask(otaflux, "garden/pump_2");
  const id = "otaflux_garden_2fpump_5f2";
  const { payload } = await subscriber.received(({ topic }) =>
    topic === `homeassistant/update/${id}/config`
  );
  assert.deepEqual(JSON.parse(payload), {
    name: "Firmware",
    unique_id: id,
    device_class: "firmware",
    latest_version_topic: "ota/garden/pump_2",
    latest_version_template: "{{ value_json.version }}",
    availability_topic: "ota/$state",
    payload_available: "online",
    payload_not_available: "offline",
    device: { identifiers: [id], name: "garden/pump_2" },
    origin: { name: "OtaFlux" },
  });

  // What the device says that it runs makes the entity complete.
  await (await fetch(`${otaflux.origin}/version?device=garden/pump_2&current=0.9.0`)).text();
  const installed = await subscriber.received(({ topic }) =>
    topic === "ota/$installed/garden/pump_2"
  );
  assert.deepEqual([installed.payload, installed.qos], ["0.9.0", 1]);
  const entities = subscriber.messages.filter(({ topic }) => topic.endsWith("/config"));
  assert.equal(JSON.parse(entities.at(-1)?.payload ?? "").state_topic, installed.topic);
});
