import assert from "node:assert/strict";
import { ANSWERS, WebhookBench } from "../../helpers/webhooks.ts";

const PATH = "/webhooks/dockerhub";

/** What Docker's documentation shows, member by member. */
const PUSH = {
  callback_url:
    "https://registry.hub.docker.com/u/factory/pump/hook/2141b5bi5i5b02bec211i4eeih0242eg11000a/",
  push_data: { pushed_at: 1_763_980_000, pusher: "ci", tag: "1.0.0", images: [] },
  repository: {
    comment_count: 0,
    date_created: 1_417_494_799,
    description: "",
    dockerfile: "#\n",
    full_description: "",
    is_official: false,
    is_private: true,
    is_trusted: true,
    name: "pump",
    namespace: "factory",
    owner: "factory",
    repo_name: "factory/pump",
    repo_url: "https://registry.hub.docker.com/u/factory/pump/",
    star_count: 0,
    status: "Active",
  },
};

for (
  const [what, body, devices] of [
    ["a push", PUSH, ["pump"]],
    ["an old push, with a fraction of a second", {
      ...PUSH,
      push_data: { ...PUSH.push_data, pushed_at: 1_763_980_000.5 },
    }, ["pump"]],
    ["a push outside the prefix", {
      ...PUSH,
      repository: { ...PUSH.repository, repo_name: "office/pump" },
    }, []],
  ] as const
) {
  Deno.test(`Docker Hub: ${what} checks ${devices.length} devices`, async () => {
    const bench = new WebhookBench();
    const [status] = await bench.answer(PATH, body);
    assert.equal(status, 200);
    assert.deepEqual(bench.devices, devices);
    for (const { id } of bench.events) assert.equal(id, undefined, "a push may look like another");
  });
}

for (const body of [{}, { repository: "factory/pump" }, { push_data: {}, repository: {} }]) {
  Deno.test(`Docker Hub: ${JSON.stringify(body)} is refused in one sentence`, async () => {
    const bench = new WebhookBench();
    const answer = await bench.answer(PATH, body);
    assert.deepEqual(answer, [400, "Body is no event of Docker Hub\n\n"]);
  });
}

Deno.test("Docker Hub: the secret is the end of the path, and shows in no metric", async () => {
  const bench = new WebhookBench({ secret: "open/sesame" });
  for (const path of [PATH, `${PATH}/`, `${PATH}/open`, `${PATH}/open/sesame`, `${PATH}/x/y`]) {
    const { status } = await bench.post(path, PUSH);
    assert([401, 404].includes(status), `${path}: ${status}`);
  }
  assert.deepEqual(bench.events, []);
  assert.deepEqual(await bench.answer(`${PATH}/open%2Fsesame`, PUSH), ANSWERS.accepted);
  const text = await bench.metrics.expose();
  assert.match(text, /path="\/webhooks\/dockerhub\/:secret",status="200"/);
  assert.doesNotMatch(text, /sesame/);
});
