import assert from "node:assert/strict";
import { ANSWERS, hmacOf, WebhookBench } from "../../helpers/webhooks.ts";

const PATH = "/webhooks/artifactory";

/** What JFrog's documentation shows, member by member. */
const PUSH = {
  domain: "docker",
  event_type: "pushed",
  data: {
    repo_key: "firmware-local",
    event_type: "pushed",
    path: "factory/pump/1.0.0/manifest.json",
    name: "manifest.json",
    sha256: "35c4a2c15539c6c1e4e5fa4e554dac323ad0107d8eb5c582d6ff386b383b7dce",
    size: 1206,
    image_name: "factory/pump",
    tag: "1.0.0",
    image_type: "oci",
    platforms: [],
  },
  subscription_key: "ota",
  jpd_origin: "https://example.jfrog.io",
  source: "jfrog/admin",
};

for (
  const [what, repositoryPrefix, body, devices] of [
    ["a push, the repository in the host", "factory", PUSH, ["pump"]],
    ["a push, the repository in the path", "firmware-local/factory", PUSH, ["pump"]],
    ["a deletion", "factory", { ...PUSH, event_type: "deleted" }, ["pump"]],
    ["a promotion", "factory", { ...PUSH, event_type: "promoted" }, ["pump"]],
    ["a push outside the prefix", "office", PUSH, []],
    ["an upload that is no image", "factory", {
      ...{ ...PUSH, domain: "artifact", event_type: "deployed" },
      data: { repo_key: "generic", path: "a/b", name: "b", sha256: "", size: 1 },
    }, []],
  ] as const
) {
  Deno.test(`Artifactory: ${what} checks ${devices.length} devices`, async () => {
    const bench = new WebhookBench({ repositoryPrefix });
    const [status] = await bench.answer(PATH, body);
    assert.equal(status, 200);
    assert.deepEqual(bench.devices, devices);
    for (const { id } of bench.events) assert.equal(id, undefined, "a push may look like another");
  });
}

for (const body of [{}, { domain: "docker" }, { domain: "docker", event_type: "pushed" }]) {
  Deno.test(`Artifactory: ${JSON.stringify(body)} is refused in one sentence`, async () => {
    const answer = await new WebhookBench().answer(PATH, body);
    assert.deepEqual(answer, [400, "Body is no event of Artifactory\n\n"]);
  });
}

Deno.test("Artifactory: the body is signed with the secret, in hex and without a prefix", async () => {
  const bench = new WebhookBench({ secret: "open sesame" });
  const body = JSON.stringify(PUSH);
  const post = (signature: string): ReturnType<WebhookBench["answer"]> =>
    bench.answer(PATH, body, { headers: { "X-JFrog-Event-Auth": signature } });
  assert.deepEqual(await post(hmacOf(body, "close sesame")), ANSWERS.unauthorized);
  assert.deepEqual(await post("open sesame"), ANSWERS.unauthorized);
  assert.deepEqual(await post(hmacOf(body, "open sesame")), ANSWERS.accepted);
});
