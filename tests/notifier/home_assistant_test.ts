import assert from "node:assert/strict";
import fc from "fast-check";
import { discoveryOf, HomeAssistant } from "../../src/notifier/home_assistant.ts";
import { Topics } from "../../src/notifier/topics.ts";

const OPTIONS = { prefix: "homeassistant", topics: new Topics("ota"), knowsInstalled: false };

Deno.test("discoveryOf() says where the installed version stands only where it can be known", () => {
  const read = (knowsInstalled: boolean): unknown =>
    JSON.parse(discoveryOf("a/b", { ...OPTIONS, knowsInstalled }).payload).state_topic;
  assert.equal(read(true), "ota/$installed/a/b");
  assert.equal(read(false), undefined);
});

Deno.test("discoveryOf() names no two devices alike, in letters that Home Assistant takes", () => {
  const devices = fc.stringMatching(/^[a-z0-9]{1,3}([._/-]|__)[a-f0-9]{1,3}$/);
  fc.assert(fc.property(devices, devices, (one, other) => {
    const topic = discoveryOf(one, OPTIONS).topic;
    assert.match(topic, /^homeassistant\/update\/[a-z0-9_-]+\/config$/);
    assert.equal(topic === discoveryOf(other, OPTIONS).topic, one === other);
  }));
});

Deno.test("HomeAssistant makes an entity anew once it can be known which version a device runs", async () => {
  const published: string[] = [];
  const session = {
    inFlight: 1,
    subscribe: () => Promise.resolve(),
    publish: (topic: string, payload: string) => {
      const said = topic.endsWith("/config") ? JSON.parse(payload).state_topic : payload;
      published.push(`${topic.split("/").at(-1)} ${said}`);
      return Promise.resolve();
    },
  };
  const homeAssistant = new HomeAssistant({ ...OPTIONS, now: () => 0 });
  assert(!homeAssistant.knows("pump"));
  await homeAssistant.introduce(session, "pump");
  assert(homeAssistant.knows("pump"));
  assert(homeAssistant.note("pump", "1.0.0"));
  await homeAssistant.tellInstalled(session, "pump");
  assert(!homeAssistant.note("pump", "1.0.0"), "it was told");
  await homeAssistant.tellInstalled(session, "pump");
  assert.deepEqual(published, [
    "config undefined",
    "config ota/$installed/pump",
    "pump 1.0.0",
    "pump 1.0.0",
  ]);
});
