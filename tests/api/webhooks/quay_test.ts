import assert from "node:assert/strict";
import { ANSWERS, WebhookBench } from "../../helpers/webhooks.ts";

const PATH = "/webhooks/quay";
const PUSH = {
  repository: "factory/pump",
  namespace: "factory",
  name: "pump",
  docker_url: "quay.io/factory/pump",
  homepage: "https://quay.io/repository/factory/pump",
  updated_tags: ["1.0.0"],
};

for (
  const [what, body, devices] of [
    ["a push", PUSH, ["pump"]],
    ["an old push, with images by tag", { ...PUSH, updated_tags: { "1.0.0": "4b5c" } }, ["pump"]],
    ["the test", { ...PUSH, updated_tags: ["latest", "foo"] }, ["pump"]],
    ["a push outside the prefix", { ...PUSH, repository: "office/pump" }, []],
    ["another notification", { ...PUSH, updated_tags: undefined, vulnerability: {} }, []],
  ] as const
) {
  Deno.test(`Quay: ${what} checks ${devices.length} devices`, async () => {
    const bench = new WebhookBench();
    const wanted = devices.length === 0 ? ANSWERS.ignored : ANSWERS.accepted;
    assert.deepEqual(await bench.answer(PATH, body), wanted);
    assert.deepEqual(bench.devices, devices);
    for (const { id } of bench.events) assert.equal(id, undefined, "a push may look like another");
  });
}

for (const body of [{}, { repository: { name: "pump" } }, { ...PUSH, updated_tags: "1.0.0" }]) {
  Deno.test(`Quay: ${JSON.stringify(body).slice(0, 40)} is refused in one sentence`, async () => {
    const bench = new WebhookBench();
    assert.deepEqual(await bench.answer(PATH, body), [400, "Body is no notification of Quay\n\n"]);
  });
}

Deno.test("Quay: the secret is the end of the path", async () => {
  const bench = new WebhookBench({ secret: "sesame" });
  assert.deepEqual(await bench.answer(PATH, PUSH), ANSWERS.unauthorized);
  assert.deepEqual(await bench.answer(`${PATH}/sesam`, PUSH), ANSWERS.unauthorized);
  assert.deepEqual(await bench.answer(`${PATH}/sesame`, PUSH), ANSWERS.accepted);
});
