import assert from "node:assert/strict";
import fc from "fast-check";
import type { Webhook } from "../../src/api/webhook.ts";
import { REGISTRIES } from "../../src/api/registries.ts";
import { ServiceError } from "../../src/errors.ts";
import { harborEvent } from "../helpers/harbor.ts";
import { CapturedLogs } from "../helpers/logs.ts";
import { ANSWERS, hmacOf, WebhookBench } from "../helpers/webhooks.ts";

const PATH = "/webhooks/harbor";
const PUSH = harborEvent({ repository: "factory/pump" });
const SECRET = "open sesame";
const MIB = 1024 ** 2;

for (
  const [what, authorization, wanted] of [
    ["as it is", SECRET, "accepted"],
    ["as a bearer's", `Bearer ${SECRET}`, "accepted"],
    ["as a bearer's, in lower case", `bearer ${SECRET}`, "accepted"],
    ["as a password", `Basic ${btoa(`harbor:${SECRET}`)}`, "accepted"],
    ["not at all", undefined, "unauthorized"],
    ["as nothing", "", "unauthorized"],
    ["as no bearer's", "Bearer ", "unauthorized"],
    ["wrongly", "open sesam", "unauthorized"],
    ["with more behind it", `${SECRET}!`, "unauthorized"],
    ["as another scheme's", `Token ${SECRET}`, "unauthorized"],
    ["as a user's name", `Basic ${btoa(`${SECRET}:harbor`)}`, "unauthorized"],
    ["in base64", btoa(SECRET), "unauthorized"],
    ["as its hash", hmacOf("", SECRET), "unauthorized"],
  ] as const
) {
  Deno.test(`A secret that is sent ${what} is ${wanted}`, async () => {
    using logs = new CapturedLogs();
    const bench = new WebhookBench({ secret: SECRET });
    const headers = authorization === undefined ? {} : { authorization };
    assert.deepEqual(await bench.answer(PATH, PUSH, { headers }), ANSWERS[wanted]);
    assert.equal(bench.events.length, wanted === "accepted" ? 1 : 0);
    assert.deepEqual(await bench.counted(), [`{source="harbor",result="${wanted}"} 1`]);
    assert.doesNotMatch(JSON.stringify(logs.records), /sesam/);
  });
}

Deno.test("A secret that is wrong is refused before the body is read, and says what is wanted", async () => {
  const bench = new WebhookBench({ secret: SECRET });
  let pulls = 0;
  const body = new ReadableStream({
    pull: () => void pulls++,
  }, { highWaterMark: 0 });
  const response = await bench.post(PATH, body);
  assert.deepEqual([response.status, response.headers.get("www-authenticate")], [401, "Bearer"]);
  assert.equal(pulls, 0);
});

Deno.test("A secret in the path is in no log, also where something breaks", async () => {
  using logs = new CapturedLogs();
  const bench = new WebhookBench({ secret: "sesame" });
  const body = { repository: "factory/pump", updated_tags: ["1"] };
  for (
    const failure of [undefined, new Error("broken"), new ServiceError("events-full", "Full")]
  ) {
    bench.failure = failure;
    for (const secret of ["sesame", "sesam"]) await bench.post(`/webhooks/quay/${secret}`, body);
  }
  const records = JSON.stringify(logs.records);
  assert.match(records, /broken/);
  assert.match(records, /Full/);
  assert.doesNotMatch(records, /sesam/);
});

for (const [size, status] of [[MIB, 200], [MIB + 1, 413]] as const) {
  Deno.test(`A body of ${size} bytes is answered ${status}`, async () => {
    const bench = new WebhookBench();
    const text = JSON.stringify(PUSH);
    const [answered] = await bench.answer(PATH, text + " ".repeat(size - text.length));
    assert.equal(answered, status);
  });
}

Deno.test("A body that is too large is read no further than to its limit", async () => {
  const bench = new WebhookBench();
  const chunk = new Uint8Array(64 * 1024);
  let sent = 0;
  let isCancelled = false;
  const body = new ReadableStream({
    pull: (controller) => {
      sent += chunk.length;
      controller.enqueue(chunk);
    },
    cancel: () => void (isCancelled = true),
  }, { highWaterMark: 0 });
  assert.deepEqual(await bench.answer(PATH, body), [413, "Body is larger than 1 MiB\n\n"]);
  assert.deepEqual([sent, isCancelled], [MIB + chunk.length, true]);
});

Deno.test("A body that says that it is too large is not read at all", async () => {
  const bench = new WebhookBench();
  let pulls = 0;
  const body = new ReadableStream({ pull: () => void pulls++ }, { highWaterMark: 0 });
  const headers = { "content-length": String(MIB + 1) };
  assert.equal((await bench.post(PATH, body, { headers })).status, 413);
  assert.equal(pulls, 0);
});

Deno.test("A body that breaks off is refused", async () => {
  const bench = new WebhookBench();
  const body = new ReadableStream({ pull: () => Promise.reject(new Error("reset")) });
  assert.deepEqual(await bench.answer(PATH, body), [400, "Body was cut off\n\n"]);
});

for (
  const [error, status, body] of [
    [new ServiceError("storage-failed", "Event cannot be stored"), 503, "Event cannot be stored"],
    [new ServiceError("events-full", "Too many events wait"), 503, "Too many events wait"],
    [new Error("secret"), 500, "Internal error"],
  ] as const
) {
  Deno.test(`What is not taken over is answered ${status} (${error.message})`, async () => {
    const bench = new WebhookBench();
    bench.failure = error;
    const response = await bench.post(PATH, PUSH);
    assert.equal(response.status, status);
    assert.equal(response.headers.get("retry-after"), status === 503 ? "30" : null);
    assert.equal(await response.text(), `${body}\n\n`);
    assert.deepEqual(await bench.counted(), [`{source="harbor",result="failed"} 1`]);
  });
}

Deno.test("What was taken over before is answered and counted as such", async () => {
  const bench = new WebhookBench({ events: { accept: () => Promise.resolve("repeated") } });
  assert.deepEqual(await bench.answer(PATH, PUSH), [200, "Accepted before"]);
  assert.deepEqual(await bench.counted(), [`{source="harbor",result="repeated"} 1`]);
});

for (const [source, { proof }] of Object.entries(REGISTRIES)) {
  Deno.test(`POST /webhooks/${source} without the secret is refused`, async () => {
    const bench = new WebhookBench({ secret: SECRET });
    const paths = [`/webhooks/${source}`, ...proof.by === "path" ? [`/webhooks/${source}/x`] : []];
    for (const path of paths) assert.deepEqual(await bench.answer(path, {}), ANSWERS.unauthorized);
  });

  for (const method of ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]) {
    Deno.test(`${method} /webhooks/${source} is refused, and told that POST is allowed`, async () => {
      const bench = new WebhookBench({ secret: SECRET });
      const path = `/webhooks/${source}${proof.by === "path" ? "/x" : ""}`;
      const response = await bench.router.request(path, { method });
      assert.deepEqual([response.status, response.headers.get("allow")], [405, "POST"]);
      await response.body?.cancel();
    });
  }
}

Deno.test("POST to a registry that is not known says which are", async () => {
  const [status, body] = await new WebhookBench().answer("/webhooks/nexus", PUSH);
  assert.equal(status, 404);
  for (const source of Object.keys(REGISTRIES)) {
    assert.match(body, new RegExp(`only at .*/webhooks/${source}\\b`));
  }
});

Deno.test("A registry is added by one file and one line: route, proof, metrics and durability follow", async () => {
  const nexus: Webhook = {
    proof: { by: "authorization" },
    identify: ({ headers }) => headers.get("x-nexus-id") ?? undefined,
    read: ({ body }) => ({
      what: "text",
      events: [{ repository: new TextDecoder().decode(body) }],
    }),
  };
  const bench = new WebhookBench({ secret: SECRET, registries: { ...REGISTRIES, nexus } });
  const headers = { authorization: SECRET, "x-nexus-id": "1" };
  assert.deepEqual(await bench.answer("/webhooks/nexus", "factory/a"), ANSWERS.unauthorized);
  assert.deepEqual(await bench.answer("/webhooks/nexus", "factory/a", { headers }), [
    ...ANSWERS.accepted,
  ]);
  assert.deepEqual(bench.devices, ["a"]);
  assert.match(bench.events[0]?.id ?? "", /^[0-9a-f]{64}$/);
  assert.equal((await bench.post("/webhooks/nexus", "", { method: "PUT" })).status, 405);
  assert.deepEqual(await bench.counted(), [
    `{source="nexus",result="unauthorized"} 1`,
    `{source="nexus",result="accepted"} 1`,
  ]);
});

Deno.test("Webhooks of two registries with the same body are two events", async () => {
  const like = (webhook: Webhook): Webhook => ({ ...webhook, identify: () => "" });
  const registries = { a: like(REGISTRIES.harbor), b: like(REGISTRIES.harbor) };
  const bench = new WebhookBench({ registries });
  for (const path of ["/webhooks/a", "/webhooks/b"]) await bench.post(path, PUSH);
  const ids = bench.events.map(({ id }) => id);
  assert.equal(new Set(ids).size, 2);
});

/** JSON that looks like an event here and there. */
const likely = fc.object({
  key: fc.constantFrom(
    ...["type", "event_data", "data", "specversion", "repository", "resources", "repo_full_name"],
    ...["events", "action", "target", "tag", "digest", "mediaType", "name", "push_data"],
    ...["repo_name", "updated_tags", "package", "package_version", "owner", "login", "version"],
  ),
  values: [
    fc.constantFrom("PUSH_ARTIFACT", "push", "container", "factory/pump", "created", "", null, 1),
    fc.string(),
  ],
  maxDepth: 5,
});

const HEADERS = {
  "ce-type": "zotregistry.image.updated",
  "x-github-event": "package",
  "x-gitea-event": "package",
};

for (const source of Object.keys(REGISTRIES)) {
  Deno.test(`Whatever is sent to /webhooks/${source} is answered 200 or 400, in a short sentence`, async () => {
    const bench = new WebhookBench();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          likely.map((value) => JSON.stringify(value)),
          fc.json(),
          fc.uint8Array({ minLength: 1 }),
          fc.constant("[".repeat(100_000)),
          fc.constant(`{"type":`.repeat(50_000)),
        ),
        async (body) => {
          const [status, text] = await bench.answer(`/webhooks/${source}`, body, {
            headers: HEADERS,
          });
          assert([200, 400].includes(status), `${status}`);
          assert.match(text, /^[\x20-\x7e]{1,100}\n*$/);
        },
      ),
      { numRuns: 300 },
    );
    assert(bench.devices.every((device) => !device.startsWith("factory")));
  });
}
