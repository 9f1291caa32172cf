import assert from "node:assert/strict";
import { withWholeDocuments } from "../../src/registry/document.ts";
import type { FetchInit } from "../../src/registry/fetch.ts";
import { createTransport } from "../../src/registry/transport.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import * as faults from "../helpers/registry/faults.ts";

const INIT: FetchInit = { method: "GET", headers: {}, documentLimitBytes: 10 };
const OPTIONS = { idleMs: 60_000 };

const bytes = (length: number): Uint8Array<ArrayBuffer> => new Uint8Array(length).fill(7);

Deno.test("withWholeDocuments() reads a document up to its limit and refuses a longer one", async () => {
  for (const length of [0, 1, 10]) {
    const fetch = withWholeDocuments(() => Promise.resolve(new Response(bytes(length))), OPTIONS);
    assert.deepEqual(await (await fetch("http://r", INIT)).bytes(), bytes(length));
  }
  const fetch = withWholeDocuments(() => Promise.resolve(new Response(bytes(11))), OPTIONS);
  await assert.rejects(fetch("http://r", INIT), { code: "source-invalid" });
});

Deno.test("withWholeDocuments() leaves blobs and bad answers as they come", async () => {
  const { documentLimitBytes: _, ...blob } = INIT;
  const answers = [
    [blob, new Response(bytes(11))],
    [INIT, new Response(bytes(11), { status: 404 })],
    [INIT, new Response(null)],
  ] as const;
  for (const [init, response] of answers) {
    const fetch = withWholeDocuments(() => Promise.resolve(response), OPTIONS);
    assert.equal(await fetch("http://r", init), response);
  }
});

Deno.test("withWholeDocuments() gives up a document that trickles in", async () => {
  let isCancelled = false;
  const trickle = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller): Promise<void> {
      await new Promise((resolve) => setTimeout(resolve, 1));
      controller.enqueue(new Uint8Array(1));
    },
    cancel: (): void => void (isCancelled = true),
  });
  const fetch = withWholeDocuments(() => Promise.resolve(new Response(trickle)), { idleMs: 20 });
  const init = { ...INIT, documentLimitBytes: 1_000_000 };
  await assert.rejects(fetch("http://r", init), { code: "source-timeout" });
  assert.ok(isCancelled);
});

Deno.test("createTransport() asks again for a document that breaks off", async () => {
  await using registry = new FakeRegistry();
  registry.fault({ match: { kind: "ping" }, times: 2, respond: faults.cut() });
  const fetch = createTransport({
    registry: new URL(registry.origin),
    userAgent: "test",
    idleMs: 60_000,
    sleep: () => Promise.resolve(),
  });
  const response = await fetch(`${registry.origin}/v2/`, { ...INIT, documentLimitBytes: 100 });
  assert.deepEqual(await response.json(), {});
  assert.equal(registry.count({ kind: "ping" }), 3);
});
