import assert from "node:assert/strict";
import { harborCloudEvent, harborEvent } from "../../helpers/harbor.ts";
import { ANSWERS, WebhookBench } from "../../helpers/webhooks.ts";

const PATH = "/webhooks/harbor";
const DIGEST = `sha256:${"0a".repeat(32)}`;

for (
  const [what, body, device] of [
    ["a push", harborEvent({ repository: "factory/pump" }), "pump"],
    ["a push into a nested repository", harborEvent({ repository: "factory/a/b" }), "a/b"],
    ["a push by digest", harborEvent({ repository: "factory/pump", tag: DIGEST }), "pump"],
    [
      "a signature",
      harborEvent({ repository: "factory/pump", tag: `${DIGEST.replace(":", "-")}.sig` }),
      "pump",
    ],
    ["a deletion", harborEvent({ repository: "factory/pump", type: "DELETE_ARTIFACT" }), "pump"],
    ["a CloudEvent of a push", harborCloudEvent({ repository: "factory/a/b" }), "a/b"],
    [
      "a CloudEvent of a deletion",
      harborCloudEvent({ repository: "factory/pump", type: "harbor.artifact.deleted" }),
      "pump",
    ],
    [
      "a push without date, whose lookup failed",
      {
        type: "PUSH_ARTIFACT",
        occur_at: 1_763_980_000,
        operator: "",
        event_data: {
          resources: [{ digest: DIGEST, tag: "1.0.0", resource_url: "h/factory/pump:1.0.0" }],
          repository: {
            name: "pump",
            namespace: "factory",
            repo_full_name: "factory/pump",
            repo_type: "public",
          },
        },
      },
      "pump",
    ],
    [
      "a push without a repository",
      {
        type: "PUSH_ARTIFACT",
        occur_at: 1,
        event_data: { resources: [{ tag: DIGEST, resource_url: `h:1/factory/a/b@${DIGEST}` }] },
      },
      "a/b",
    ],
    [
      "a push without resources",
      { type: "PUSH_ARTIFACT", event_data: { repository: { repo_full_name: "factory/pump" } } },
      "pump",
    ],
  ] as const
) {
  Deno.test(`Harbor: ${what} checks the device`, async () => {
    const bench = new WebhookBench();
    assert.deepEqual(await bench.answer(PATH, body), ANSWERS.accepted);
    assert.deepEqual(bench.devices, [device]);
  });
}

for (
  const [what, body] of [
    ["a push outside the prefix", harborEvent({ repository: "office/pump" })],
    ["a push into a repository like the prefix", harborEvent({ repository: "factory" })],
    ["a push into one that begins like it", harborEvent({ repository: "factory2/pump" })],
    ["a push of a name that none can have", harborEvent({ repository: "factory/../etc" })],
    ["a pull", harborEvent({ repository: "factory/pump", type: "PULL_ARTIFACT" })],
    ["a scan", harborEvent({ repository: "factory/pump", type: "SCANNING_COMPLETED" })],
    ["a type of the future", harborEvent({ repository: "factory/pump", type: "WHAT_EVER" })],
    [
      "a CloudEvent of another type",
      harborCloudEvent({ repository: "factory/pump", type: "harbor.artifact.pulled" }),
    ],
    [
      "a replication",
      {
        type: "REPLICATION",
        occur_at: 1_763_980_000,
        operator: "MANUAL",
        event_data: {
          replication: {
            harbor_hostname: "h",
            job_status: "Success",
            successful_artifact: [{ type: "image", name_tag: "alpine [1 item(s) in total]" }],
          },
        },
      },
    ],
    [
      "a retention",
      {
        type: "TAG_RETENTION",
        occur_at: 1,
        operator: "",
        event_data: { retention: { total: 2, retained: 1, project_name: "factory" } },
      },
    ],
    ["a push of nothing that can be told", { type: "PUSH_ARTIFACT", event_data: {} }],
    ["the test of an address, which is empty", ""],
  ] as const
) {
  Deno.test(`Harbor: ${what} is acknowledged, and nothing else`, async () => {
    const bench = new WebhookBench();
    assert.deepEqual(await bench.answer(PATH, body), ANSWERS.ignored);
    assert.deepEqual(bench.events, []);
    assert.deepEqual(await bench.counted(), [`{source="harbor",result="ignored"} 1`]);
  });
}

for (
  const [what, body, reason] of [
    ["what is not JSON", "PUSH_ARTIFACT", "Body is not JSON"],
    ["what ends too early", `{"type":"PUSH_ARTIFACT"`, "Body is not JSON"],
    ["what is not UTF-8", new Uint8Array([0x22, 0xff, 0x22]), "Body is not JSON"],
    ["an empty object", {}, "Body is no event of Harbor"],
    ["a list", [], "Body is no event of Harbor"],
    ["null", null, "Body is no event of Harbor"],
    ["a push of Docker Hub", { push_data: {}, repository: {} }, "Body is no event of Harbor"],
    [
      "a repository that is no text",
      { type: "PUSH_ARTIFACT", event_data: { repository: { repo_full_name: 1 } } },
      "Body is no event of Harbor",
    ],
  ] as const
) {
  Deno.test(`Harbor: ${what} is refused in one sentence`, async () => {
    const bench = new WebhookBench();
    assert.deepEqual(await bench.answer(PATH, body), [400, `${reason}\n\n`]);
    assert.deepEqual(bench.events, []);
    assert.deepEqual(await bench.counted(), [`{source="harbor",result="refused"} 1`]);
  });
}

Deno.test("Harbor: the same bytes are the same event, and no others are", async () => {
  const bench = new WebhookBench();
  const event = { repository: "factory/pump" };
  for (const occurAt of [1, 1, 2]) await bench.post(PATH, harborEvent({ ...event, occurAt }));
  const [first, again, other] = bench.events.map(({ id }) => id);
  assert.match(first ?? "", /^[0-9a-f]{64}$/);
  assert.equal(again, first);
  assert.notEqual(other, first);
});
