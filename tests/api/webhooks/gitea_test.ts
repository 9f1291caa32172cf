import assert from "node:assert/strict";
import { ANSWERS, hmacOf, WebhookBench } from "../../helpers/webhooks.ts";

const PATH = "/webhooks/gitea";

function eventOf(changes: Readonly<Record<string, unknown>> = {}, action = "created"): unknown {
  return {
    action,
    repository: null,
    package: {
      id: 7,
      owner: { id: 1, login: "Factory", username: "Factory" },
      repository: null,
      creator: { id: 1, login: "ci" },
      type: "container",
      name: "pump",
      version: "1.0.0",
      html_url: "https://git.example.com/Factory/-/packages/container/pump/1.0.0",
      created_at: "2026-11-24T10:00:00Z",
      ...changes,
    },
    organization: null,
    sender: { id: 1, login: "ci" },
  };
}

/** What Gitea sends; Forgejo adds headers of its own. */
function headersOf(product: "gitea" | "forgejo", event = "package"): Record<string, string> {
  const id = "f6266f16-1bf3-46a5-9ea4-602e06ead473";
  return {
    "content-type": "application/json",
    "x-gitea-event": event,
    "x-gitea-delivery": id,
    "x-gitea-signature": "",
    "x-github-event": event,
    "x-github-delivery": id,
    "x-hub-signature-256": "sha256=",
    ...(product === "forgejo" && {
      "x-forgejo-event": event,
      "x-forgejo-delivery": id,
      "x-forgejo-signature": "",
    }),
  };
}

for (const product of ["gitea", "forgejo"] as const) {
  for (
    const [what, body, device] of [
      ["a package", eventOf(), "pump"],
      ["a nested name", eventOf({ name: "Garden/Pump" }), "garden/pump"],
      ["a digest", eventOf({ version: `sha256:${"0a".repeat(32)}` }), "pump"],
      ["a deletion", eventOf({}, "deleted"), "pump"],
      ["an owner by user name only", eventOf({ owner: { username: "factory" } }), "pump"],
    ] as const
  ) {
    Deno.test(`${product}: ${what} checks the device`, async () => {
      const bench = new WebhookBench();
      const headers = headersOf(product);
      assert.deepEqual(await bench.answer(PATH, body, { headers }), ANSWERS.accepted);
      assert.deepEqual(bench.devices, [device]);
    });
  }

  Deno.test(`${product}: only a body with its own signature is taken`, async () => {
    const bench = new WebhookBench({ secret: "sesame" });
    const body = JSON.stringify(eventOf());
    const name = `x-${product}-signature`;
    for (const signature of ["", "sesame", hmacOf(body, "other"), hmacOf("", "sesame")]) {
      const headers = { ...headersOf(product), [name]: signature };
      assert.deepEqual(await bench.answer(PATH, body, { headers }), ANSWERS.unauthorized);
    }
    assert.deepEqual(bench.events, []);
    const headers = { ...headersOf(product), [name]: hmacOf(body, "sesame") };
    assert.deepEqual(await bench.answer(PATH, body, { headers }), ANSWERS.accepted);
  });
}

for (
  const [what, event, body] of [
    ["a push of commits", "push", { ref: "refs/heads/main" }],
    ["a package of npm", "package", eventOf({ type: "npm" })],
    ["a package of nobody", "package", eventOf({ owner: {} })],
    ["a package of another owner", "package", eventOf({ owner: { login: "office" } })],
  ] as const
) {
  Deno.test(`gitea: ${what} is acknowledged, and nothing else`, async () => {
    const bench = new WebhookBench();
    const headers = headersOf("gitea", event);
    assert.deepEqual(await bench.answer(PATH, body, { headers }), ANSWERS.ignored);
    assert.deepEqual(bench.events, []);
  });
}

Deno.test("gitea: what is none of its events is refused in one sentence", async () => {
  const bench = new WebhookBench();
  const github = { "x-github-event": "package" };
  assert.deepEqual(await bench.answer(PATH, eventOf(), { headers: github }), [
    400,
    `Header "X-Gitea-Event" is missing\n\n`,
  ]);
  assert.deepEqual(await bench.answer(PATH, {}, { headers: headersOf("gitea") }), [
    400,
    "Body is no event of Gitea about a package\n\n",
  ]);
});
