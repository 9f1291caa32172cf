import assert from "node:assert/strict";
import { ANSWERS, hmacOf, WebhookBench } from "../../helpers/webhooks.ts";

const PATH = "/webhooks/github";
const DIGEST = `sha256:${"0a".repeat(32)}`;

/** An event about a package of `ghcr.io`; `key` is the name of the event, too. */
function eventOf(
  key: "package" | "registry_package",
  changes: Readonly<Record<string, unknown>> = {},
  version: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  return {
    action: "published",
    [key]: {
      id: 10696,
      name: "pump",
      namespace: "Factory",
      ecosystem: "CONTAINER",
      package_type: "CONTAINER",
      owner: { login: "Factory", id: 1 },
      package_version: {
        id: 1,
        version: DIGEST,
        package_url: "ghcr.io/Factory/pump:1.0.0",
        container_metadata: {
          tag: { name: "1.0.0", digest: DIGEST },
          manifest: { digest: DIGEST, media_type: "application/vnd.oci.image.manifest.v1+json" },
        },
        ...version,
      },
      ...changes,
    },
    sender: { login: "ci" },
  };
}

function headersOf(
  event: string,
  delivery = "72d3162e-cc78-11e3-81ab-4c9367dc0958",
): Record<string, string> {
  return {
    "content-type": "application/json",
    "user-agent": "GitHub-Hookshot/044aadd",
    "x-github-event": event,
    "x-github-delivery": delivery,
  };
}

for (
  const [what, event, body, device] of [
    ["a package", "package", eventOf("package"), "pump"],
    ["a registry_package", "registry_package", eventOf("registry_package"), "pump"],
    [
      "an update",
      "registry_package",
      { ...eventOf("registry_package"), action: "updated" },
      "pump",
    ],
    [
      "a child of an index, without a tag",
      "package",
      eventOf("package", {}, {
        package_url: "ghcr.io/Factory/pump:",
        container_metadata: { tag: { name: "", digest: "" } },
      }),
      "pump",
    ],
    [
      "a nested name by digest",
      "package",
      eventOf("package", { name: "a/b" }, { package_url: `ghcr.io/Factory/a/b@${DIGEST}` }),
      "a/b",
    ],
    [
      "a package without an address",
      "package",
      eventOf("package", {}, { package_url: null, container_metadata: null }),
      "pump",
    ],
    [
      "a legacy one",
      "package",
      eventOf("package", { package_type: undefined, ecosystem: "docker" }),
      "pump",
    ],
  ] as const
) {
  Deno.test(`GitHub: ${what} checks the device`, async () => {
    const bench = new WebhookBench();
    const headers = headersOf(event);
    assert.deepEqual(await bench.answer(PATH, body, { headers }), ANSWERS.accepted);
    assert.deepEqual(bench.devices, [device]);
  });
}

Deno.test("GitHub: a form with the JSON in it is the same, and its signature is that of the form", async () => {
  const bench = new WebhookBench({ secret: "sesame" });
  const body = `payload=${encodeURIComponent(JSON.stringify(eventOf("package")))}`;
  const headers = {
    ...headersOf("package"),
    "content-type": "application/x-www-form-urlencoded",
    "x-hub-signature-256": `sha256=${hmacOf(body, "sesame")}`,
  };
  assert.deepEqual(await bench.answer(PATH, body, { headers }), ANSWERS.accepted);
  assert.deepEqual(bench.devices, ["pump"]);
});

for (
  const [what, event, body] of [
    ["a ping", "ping", { zen: "Design for failure.", hook_id: 1, hook: {} }],
    ["another event", "push", { ref: "refs/heads/main" }],
    ["a package of npm", "package", eventOf("package", { package_type: "npm", ecosystem: "npm" })],
    [
      "a package without address and owner",
      "package",
      eventOf("package", { owner: null }, { package_url: "" }),
    ],
    [
      "a package of another owner",
      "package",
      eventOf("package", {}, { package_url: "ghcr.io/office/pump:1" }),
    ],
  ] as const
) {
  Deno.test(`GitHub: ${what} is acknowledged, and nothing else`, async () => {
    const bench = new WebhookBench();
    const headers = headersOf(event);
    assert.deepEqual(await bench.answer(PATH, body, { headers }), ANSWERS.ignored);
    assert.deepEqual(bench.events, []);
  });
}

Deno.test("GitHub: what is none of its events is refused in one sentence", async () => {
  const bench = new WebhookBench();
  assert.deepEqual(await bench.answer(PATH, eventOf("package")), [
    400,
    `Header "X-GitHub-Event" is missing\n\n`,
  ]);
  const headers = headersOf("package");
  const reason = "Body is no event of GitHub about a package\n\n";
  assert.deepEqual(await bench.answer(PATH, { action: "x" }, { headers }), [400, reason]);
  assert.deepEqual(await bench.answer(PATH, "payload=", { headers }), [
    400,
    "Body is not JSON\n\n",
  ]);
});

Deno.test("GitHub: only a body with its own signature is taken", async () => {
  const bench = new WebhookBench({ secret: "sesame" });
  const body = JSON.stringify(eventOf("package"));
  const right = `sha256=${hmacOf(body, "sesame")}`;
  for (
    const signature of [
      undefined,
      "",
      "sha256=",
      "sesame",
      right.slice("sha256=".length),
      right.toUpperCase(),
      `sha256=${hmacOf(body, "other")}`,
      `sha256=${hmacOf(`${body} `, "sesame")}`,
      `sha1=${hmacOf(body, "sesame")}`,
    ]
  ) {
    const headers = {
      ...headersOf("package"),
      authorization: "Bearer sesame",
      ...(signature !== undefined && { "x-hub-signature-256": signature }),
    };
    assert.deepEqual(await bench.answer(PATH, body, { headers }), ANSWERS.unauthorized);
  }
  assert.deepEqual(bench.events, []);
  const headers = { ...headersOf("package"), "x-hub-signature-256": right };
  assert.deepEqual(await bench.answer(PATH, body, { headers }), ANSWERS.accepted);
});

Deno.test("GitHub: a delivery that is sent again keeps its id", async () => {
  const bench = new WebhookBench();
  for (const delivery of ["a", "a", "b"]) {
    await bench.post(PATH, eventOf("package"), { headers: headersOf("package", delivery) });
  }
  const [first, again, other] = bench.events.map(({ id }) => id);
  assert.deepEqual([again === first, other === first], [true, false]);
});
