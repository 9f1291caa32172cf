import assert from "node:assert/strict";
import { ANSWERS, WebhookBench } from "../../helpers/webhooks.ts";

const FOLDER = new URL("../../fixtures/webhooks/", import.meta.url);

/** A delivery as a registry sent it. */
interface Recorded {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

async function recorded(name: string): Promise<readonly Recorded[]> {
  return JSON.parse(await Deno.readTextFile(new URL(`${name}.json`, FOLDER)));
}

Deno.test("Distribution 3.1.2: of what was recorded, manifests that come and go count", async () => {
  const deliveries = await recorded("distribution-3.1.2");
  const accepted: string[] = [];
  for (const { headers, body } of deliveries) {
    const bench = new WebhookBench({ secret: "sesame" });
    const [event] = JSON.parse(body).events;
    const authorization = "Bearer sesame";
    const [status] = await bench.answer("/webhooks/distribution", body, {
      headers: { ...headers, authorization },
    });
    assert.equal(status, 200);
    const { tag, digest } = event.target;
    const what = tag ? "a tag" : digest ? "a digest" : "nothing";
    accepted.push(...bench.devices.map((device) => `${event.action} ${device} by ${what}`));
  }
  assert.equal(deliveries.length, 10);
  assert.deepEqual(accepted, [
    "push single by a tag",
    "push index by a digest",
    "delete single by a tag",
    "delete single by a digest",
  ]);
});

Deno.test("Gitea 1.26.2: what was recorded is taken with its own signature, and with no other", async () => {
  const deliveries = await recorded("gitea-1.26.2");
  const bench = new WebhookBench({ secret: "sesame" });
  const stranger = new WebhookBench({ secret: "another" });
  const answers: (readonly [number, string])[] = [];
  for (const { headers, body } of deliveries) {
    answers.push(await bench.answer("/webhooks/gitea", body, { headers }));
    assert.deepEqual(
      await stranger.answer("/webhooks/gitea", body, { headers }),
      ANSWERS.unauthorized,
    );
  }
  const { accepted, ignored } = ANSWERS;
  assert.deepEqual(answers, [accepted, accepted, accepted, ignored]);
  // A user's own package is below another prefix.
  assert.deepEqual(bench.devices, ["garden/pump", "garden/pump", "garden/pump"]);
  assert.deepEqual(stranger.events, []);
  const ids = new Set(bench.events.map(({ id }) => id));
  assert.equal(ids.size, 3, "none is taken for a repetition of another");
});
