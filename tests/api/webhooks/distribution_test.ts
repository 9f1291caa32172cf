import assert from "node:assert/strict";
import { ANSWERS, WebhookBench } from "../../helpers/webhooks.ts";

const PATH = "/webhooks/distribution";
const DIGEST = `sha256:${"0a".repeat(32)}`;
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

/** One event, as registry 2.8 sends it. */
function eventOf(action: string, target: Readonly<Record<string, unknown>>): unknown {
  return {
    id: "320678d8-ca14-430f-8bb6-4ca139cd83f7",
    timestamp: "2026-11-24T10:00:00.123456789Z",
    action,
    target: { repository: "factory/pump", digest: DIGEST, ...target },
    request: {
      id: "6df24a34-0959-4923-81ca-14f09767db19",
      addr: "127.0.0.1:46812",
      host: "127.0.0.1:5000",
      method: action === "pull" ? "HEAD" : "PUT",
      useragent: "skopeo/1.9.3",
    },
    actor: {},
    source: { addr: "registry:5000", instanceID: "a53db899-3b4b-4a62-a067-8dd013beaca4" },
  };
}

const PUSH = eventOf("push", { mediaType: MANIFEST, size: 708, length: 708, tag: "1.0.0" });

for (
  const [what, events, devices] of [
    ["a push", [PUSH], ["pump"]],
    ["a push by digest, without a tag", [eventOf("push", { mediaType: MANIFEST })], ["pump"]],
    [
      "a push into a nested repository",
      [eventOf("push", { mediaType: MANIFEST, repository: "factory/a/b" })],
      ["a/b"],
    ],
    ["a deletion", [eventOf("delete", {})], ["pump"]],
    [
      "a tag that is removed",
      [eventOf("delete", { tag: "1.0.0", digest: undefined })],
      ["pump"],
    ],
    [
      "a deletion, as registry 3 sends it",
      [eventOf("delete", { mediaType: "", size: 0 })],
      ["pump"],
    ],
    [
      "a tag that is removed, as registry 3 sends it",
      [eventOf("delete", { mediaType: "", digest: "", size: 0, tag: "1.0.0" })],
      ["pump"],
    ],
    [
      "an envelope of many, each device once",
      [
        PUSH,
        eventOf("pull", { mediaType: MANIFEST, repository: "factory/x" }),
        eventOf("push", { mediaType: MANIFEST, repository: "factory/b" }),
        PUSH,
      ],
      ["pump", "b"],
    ],
  ] as const
) {
  Deno.test(`Distribution: ${what} checks the device`, async () => {
    const bench = new WebhookBench();
    assert.deepEqual(await bench.answer(PATH, { events }), ANSWERS.accepted);
    assert.deepEqual(bench.devices, devices);
  });
}

for (
  const [what, body] of [
    ["a pull, and a HEAD", { events: [eventOf("pull", { mediaType: MANIFEST, tag: "1.0.0" })] }],
    ["a push of a blob", { events: [eventOf("push", { mediaType: "application/octet-stream" })] }],
    ["a mount", { events: [eventOf("mount", { mediaType: "application/octet-stream" })] }],
    ["a push outside the prefix", { events: [eventOf("push", { repository: "office/pump" })] }],
    ["an event without a target", { events: [{ action: "push" }] }],
    ["an empty envelope", { events: [] }],
    ["a ping of Azure's registry", { id: "1", timestamp: "2026-11-24T10:00:00Z", action: "ping" }],
  ] as const
) {
  Deno.test(`Distribution: ${what} is acknowledged, and nothing else`, async () => {
    const bench = new WebhookBench();
    assert.deepEqual(await bench.answer(PATH, body), ANSWERS.ignored);
    assert.deepEqual(bench.events, []);
  });
}

Deno.test("Distribution: an event of Azure's registry, without an envelope, checks the device", async () => {
  const bench = new WebhookBench();
  const body = {
    id: "cb8c3971-9adc-488b-bdd8-43cbb4974ff5",
    timestamp: "2026-11-24T16:52:01.343145347Z",
    action: "push",
    target: {
      mediaType: "application/vnd.docker.distribution.manifest.v2+json",
      ...{ size: 524, digest: DIGEST, length: 524, repository: "factory/pump", tag: "v1" },
    },
    request: { id: "3cbb6949", host: "r.azurecr.io", method: "PUT", useragent: "docker/17.09.0" },
  };
  assert.deepEqual(await bench.answer(PATH, body), ANSWERS.accepted);
  assert.deepEqual(bench.devices, ["pump"]);
});

for (
  const [what, body, reason] of [
    ["what is not JSON", "{", "Body is not JSON"],
    ["another's event", { type: "x" }, "Body is no notification of a CNCF Distribution registry"],
    ["what is too large", " ".repeat(1024 ** 2 + 1), "Body is larger than 1 MiB"],
  ] as const
) {
  Deno.test(`Distribution: ${what} is told to be well, since it would be sent for ever`, async () => {
    const bench = new WebhookBench();
    assert.deepEqual(await bench.answer(PATH, body), [200, reason]);
    assert.deepEqual(bench.events, []);
    assert.deepEqual(await bench.counted(), [`{source="distribution",result="refused"} 1`]);
  });
}
