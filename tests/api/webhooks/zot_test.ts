import assert from "node:assert/strict";
import { ANSWERS, WebhookBench } from "../../helpers/webhooks.ts";

const PATH = "/webhooks/zot";

/** Attributes of an event, as the CloudEvents SDK sends them in binary mode. */
function headersOf(
  type: string,
  id = "b4b25b4a-0f0e-4fd4-8bb4-2b2d7c1d8f1c",
): Record<string, string> {
  return {
    "content-type": "application/json",
    "ce-id": id,
    "ce-source": "zotregistry.dev",
    "ce-specversion": "1.0",
    "ce-time": "2026-11-24T10:00:00Z",
    "ce-type": type,
  };
}

const DATA = {
  name: "factory/garden/pump",
  reference: "1.0.0",
  digest: `sha256:${"0a".repeat(32)}`,
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  manifest: `{"schemaVersion":2}`,
};

for (
  const type of [
    "zotregistry.image.updated",
    "zotregistry.image.deleted",
    "com.example.registry.image.updated",
  ]
) {
  Deno.test(`zot: ${type} checks the device`, async () => {
    const bench = new WebhookBench();
    const headers = headersOf(type);
    assert.deepEqual(await bench.answer(PATH, DATA, { headers }), ANSWERS.accepted);
    assert.deepEqual(bench.devices, ["garden/pump"]);
  });
}

for (
  const [type, data] of [
    ["zotregistry.repository.created", { name: "factory/pump" }],
    ["zotregistry.image.scanned", DATA],
    ["zotregistry.image.updated", { ...DATA, name: "office/pump" }],
    ["zotregistry.image.updated", {}],
  ] as const
) {
  Deno.test(`zot: ${type} of ${"name" in data ? data.name : "nothing"} is acknowledged`, async () => {
    const bench = new WebhookBench();
    const headers = headersOf(type);
    assert.deepEqual(await bench.answer(PATH, data, { headers }), ANSWERS.ignored);
    assert.deepEqual(bench.events, []);
  });
}

Deno.test("zot: what is none of its events is refused in one sentence", async () => {
  const bench = new WebhookBench();
  const reason = `Header "Ce-Type" is missing\n\n`;
  assert.deepEqual(await bench.answer(PATH, DATA), [400, reason]);
  const headers = headersOf("zotregistry.image.updated");
  assert.deepEqual(await bench.answer(PATH, "x", { headers }), [400, "Body is not JSON\n\n"]);
  assert.deepEqual(await bench.answer(PATH, 5, { headers }), [
    400,
    "Body is no data of an event of zot\n\n",
  ]);
});

Deno.test("zot: the id tells a new event with the same data from a repetition", async () => {
  const bench = new WebhookBench();
  for (const id of ["1", "1", "2"]) {
    await bench.post(PATH, DATA, { headers: headersOf("zotregistry.image.updated", id) });
  }
  const [first, again, other] = bench.events.map(({ id }) => id);
  assert.deepEqual([again === first, other === first], [true, false]);
});
