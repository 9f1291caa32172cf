import assert from "node:assert/strict";
import type { ConnackProperties, Done, MqttClient } from "../../src/notifier/mqtt_client.d.ts";
import { lackOf, sessionOf } from "../../src/notifier/session.ts";

/** Confirms all, and notes it. */
function fakeClient(done: string[]): MqttClient {
  return {
    publish: (topic: string, _payload: string, _options: unknown, confirm: Done) => {
      done.push(topic);
      confirm();
    },
    subscribe: (filter: string, _options: unknown, confirm: Done) => {
      done.push(filter);
      confirm();
    },
  } as unknown as MqttClient;
}

for (
  const [properties, lack] of [
    [{}, undefined],
    [{ retainAvailable: true, maximumQoS: 1 }, undefined],
    [{ maximumQoS: 0 }, "QoS not supported"],
    [{ retainAvailable: false }, "Retain not supported"],
    [{ wildcardSubscriptionAvailable: false, maximumPacketSize: 20 }, undefined],
  ] as const satisfies readonly (readonly [ConnackProperties, string | undefined])[]
) {
  Deno.test(`lackOf() is ${lack} where the broker says ${JSON.stringify(properties)}`, () => {
    assert.equal(lackOf(properties), lack);
  });
}

Deno.test("sessionOf() publishes nothing that is longer than the broker takes", async () => {
  const done: string[] = [];
  const session = sessionOf(fakeClient(done), { maximumPacketSize: 100 });
  // 10 bytes of header, lengths, identifier and properties; a letter with a mark has two bytes.
  await session.publish("ota/a", "x".repeat(85));
  await assert.rejects(session.publish("ota/b", "x".repeat(86)), /Packet too large .* 100 bytes$/);
  await assert.rejects(session.publish("ota/c", "ä".repeat(43)), /Packet too large/);
  assert.deepEqual(done, ["ota/a"]);
});

Deno.test("sessionOf() subscribes unless the broker takes no wildcards", async () => {
  const done: string[] = [];
  await sessionOf(fakeClient(done), {}).subscribe("ota/#");
  const properties = { wildcardSubscriptionAvailable: false };
  await assert.rejects(sessionOf(fakeClient(done), properties).subscribe("ota/#"), /Wildcard/);
  assert.deepEqual(done, ["ota/#"]);
});
