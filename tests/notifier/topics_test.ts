import assert from "node:assert/strict";
import fc from "fast-check";
import { Topics } from "../../src/notifier/topics.ts";
import { isRepositoryName } from "../../src/repository.ts";

const names = fc.stringMatching(/^[a-z0-9]{1,5}([._/-][a-z0-9]{1,5}){0,3}$/);

for (const prefix of ["", "ota", "a/b", "/"]) {
  const topics = new Topics(prefix);

  Deno.test(`Topics below ${JSON.stringify(prefix)} give back the device that they were made of`, () => {
    fc.assert(fc.property(names, (device) => {
      const topic = topics.of(device);
      assert.equal(topic, `${prefix}/${device}`);
      assert.equal(topics.deviceOf(topic), device);
      assert.doesNotMatch(topic, /[+#\0]/);
    }));
  });

  Deno.test(`Topics below ${JSON.stringify(prefix)} take nothing but device ids from the broker`, () => {
    fc.assert(fc.property(fc.string(), (text) => {
      assert.equal(topics.deviceOf(`${prefix}/${text}`), isRepositoryName(text) ? text : undefined);
    }));
    for (const topic of [topics.state, topics.installedOf("pump"), "other/pump", prefix]) {
      assert.equal(topics.deviceOf(topic), undefined, topic);
    }
  });
}
