import assert from "node:assert/strict";
import fc from "fast-check";
import { discoveryOf } from "../../src/notifier/home_assistant.ts";
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
