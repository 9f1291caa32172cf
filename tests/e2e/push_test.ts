/**
 * The whole way of a push: a registry's webhook in, a message to devices out.
 */
import assert from "node:assert/strict";
import { orasArtifact } from "../helpers/artifacts.ts";
import { signatureManifest, signatureTag, Signer } from "../helpers/cosign_signer.ts";
import { debianTool } from "../helpers/debian.ts";
import { withFolder } from "../helpers/disk.ts";
import { DockerRegistry } from "../helpers/docker_registry.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { freePort } from "../helpers/free_port.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { harborEvent } from "../helpers/harbor.ts";
import { Mosquitto, mosquittoTools, type Received, type Subscriber } from "../helpers/mosquitto.ts";
import { Otaflux } from "../helpers/otaflux.ts";

const docker = await debianTool("docker-registry");
const mosquitto = await mosquittoTools();

const ONE = orasArtifact(firmwareBytes(100_000, 1));
const TWO = orasArtifact(firmwareBytes(110_000, 2));

/** Nothing is found by itself in a test's time. */
const NEVER = ["--refresh-interval", "1h", "--repository-prefix", "factory"];

const DONE = "Event is carried out";

function serve(
  registry: { readonly origin: string },
  broker: Mosquitto,
  ...args: string[]
): Promise<Otaflux> {
  return Otaflux.start({
    args: [
      ...["--registry-url", registry.origin, ...NEVER],
      ...["--mqtt-url", broker.url, "--mqtt-topic", "ota", ...args],
    ],
  });
}

async function send(otaflux: Otaflux, body: unknown): Promise<number> {
  const url = `${otaflux.origin}/webhooks/harbor`;
  const response = await fetch(url, { method: "POST", body: JSON.stringify(body) });
  await response.body?.cancel();
  return response.status;
}

/** The next message about a device in a version. */
function told(subscriber: Subscriber, device: string, version: string): Promise<Received> {
  return subscriber.received(({ topic, payload }) =>
    topic === `ota/${device}` && JSON.parse(payload).version === version
  );
}

function messagesOf(subscriber: Subscriber, device: string): number {
  return subscriber.messages.filter(({ topic }) => topic === `ota/${device}`).length;
}

function withBroker(name: string, test: (broker: Mosquitto) => Promise<void>): void {
  Deno.test({
    name: `mosquitto: ${name}`,
    ignore: "skip" in mosquitto,
    fn: async () => {
      if ("skip" in mosquitto) return;
      await using broker = await Mosquitto.start(mosquitto);
      await test(broker);
    },
  });
}

withBroker(
  "Harbor's webhook is a message to the device, and the same again is none",
  async (broker) => {
    await using registry = new FakeRegistry();
    registry.push("factory/garden/pump", "1.0.0", ONE);
    await using subscriber = await broker.subscribe("ota/#");
    await using otaflux = await serve(registry, broker);
    const event = harborEvent({ repository: "factory/garden/pump" });
    assert.equal(await send(otaflux, event), 200);
    const { payload, qos } = await told(subscriber, "garden/pump", "1.0.0");
    assert.match(payload, /^\{"version":"1\.0\.0","size":100000,/);
    assert.equal(qos, 1);
    assert.equal(await send(otaflux, event), 200);
    registry.push("factory/last", "1.0.0", TWO);
    await send(otaflux, harborEvent({ repository: "factory/last" }));
    // What the repetition had caused would have come before.
    await told(subscriber, "last", "1.0.0");
    assert.equal(messagesOf(subscriber, "garden/pump"), 1);
  },
);

withBroker(
  "killed between the answer and the message, the next start sends it",
  (broker) =>
    withFolder(async (folder) => {
      await using registry = new FakeRegistry();
      registry.push("factory/pump", "1.0.0", ONE);
      await using subscriber = await broker.subscribe("ota/#");
      {
        await using otaflux = await serve(registry, broker, "--cache-dir", folder);
        const gate = registry.gate({ kind: "tags" });
        assert.equal(await send(otaflux, harborEvent({ repository: "factory/pump" })), 200);
        await gate.arrived();
        otaflux.signal("SIGKILL");
        await otaflux.ended();
        gate.open();
      }
      await using _again = await serve(registry, broker, "--cache-dir", folder);
      await told(subscriber, "pump", "1.0.0");
      assert.equal(messagesOf(subscriber, "pump"), 1);
    }),
);

withBroker(
  "a registry's own webhook: unsigned firmware is no message, its signature is",
  async (broker) => {
    if ("skip" in docker) return;
    await withFolder(async (folder) => {
      const signer = new Signer();
      await Deno.writeTextFile(`${folder}/signer.pub`, signer.pem);
      const port = freePort();
      await using registry = await DockerRegistry.start(docker, {
        auth: false,
        notifications: [{
          name: "otaflux",
          url: `http://127.0.0.1:${port}/webhooks/distribution`,
          timeout: "5s",
          threshold: 1,
          backoff: "100ms",
        }],
      });
      await using subscriber = await broker.subscribe("ota/#");
      await using otaflux = await serve(
        registry,
        broker,
        ...["--listen-addr", `127.0.0.1:${port}`, "--cosign-pub-key-path", `${folder}/signer.pub`],
      );
      await registry.push("factory/pump", "1.0.0", ONE);
      await otaflux.logged("Firmware is refused", { version: "1.0.0" });
      await registry.push(
        "factory/pump",
        signatureTag(ONE),
        signatureManifest([signer.layer(ONE, { reference: `${registry.host}/factory/pump` })]),
      );
      await told(subscriber, "pump", "1.0.0");
      await otaflux.logged(DONE, { device: "pump" });
      const version = await fetch(`${otaflux.origin}/version?device=pump`);
      assert.match(await version.text(), /^1\.0\.0\n/);
      assert.equal(messagesOf(subscriber, "pump"), 1);
    });
  },
);
