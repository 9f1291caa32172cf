import assert from "node:assert/strict";
import { bytesOf } from "../../src/byte_stream.ts";
import { ServiceError } from "../../src/errors.ts";
import type { Fetch, FetchInit } from "../../src/registry/fetch.ts";
import { type RequestObserver, withMeasurement } from "../../src/registry/measure.ts";
import { createTransport } from "../../src/registry/transport.ts";
import { RegistryClient } from "../../src/registry/client.ts";
import { orasArtifact } from "../helpers/artifacts.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";

const ADDRESS = "https://registry.example/v2/";
const INIT: FetchInit = { method: "GET", headers: {}, kind: "tags" };

/** Writes down what it is told. */
class Notes implements RequestObserver {
  readonly requests: string[] = [];
  readonly bytes = new Map<string, number>();

  requested(kind: string, result: string, seconds: number): void {
    this.requests.push(`${kind} ${result} ${seconds}`);
  }

  received(kind: string, bytes: number): void {
    this.bytes.set(kind, (this.bytes.get(kind) ?? 0) + bytes);
  }
}

/** A layer that takes a second of its own clock for each request. */
function measured(answer: () => Response, observer: RequestObserver): Fetch {
  let nowMs = 0;
  const below: Fetch = () => {
    nowMs += 1000;
    try {
      return Promise.resolve(answer());
    } catch (error) {
      return Promise.reject(error);
    }
  };
  return withMeasurement(below, { observer, now: () => nowMs });
}

for (
  const [status, result] of [
    [200, "ok"],
    [206, "ok"],
    [307, "redirect"],
    [401, "unauthorized"],
    [403, "unauthorized"],
    [404, "not_found"],
    [429, "limited"],
    [400, "failed"],
    [503, "failed"],
  ] as const
) {
  Deno.test(`withMeasurement() calls an answer of ${status} ${result}`, async () => {
    const notes = new Notes();
    await measured(() => new Response(null, { status }), notes)(ADDRESS, INIT);
    assert.deepEqual(notes.requests, [`tags ${result} 1`]);
  });
}

for (
  const [code, result] of [
    ["source-timeout", "timeout"],
    ["source-unavailable", "unreachable"],
  ] as const
) {
  Deno.test(`withMeasurement() calls ${code} ${result}, and hands the error on`, async () => {
    const notes = new Notes();
    const error = new ServiceError(code, "Silence");
    const fetch = measured(() => {
      throw error;
    }, notes);
    await assert.rejects(fetch(ADDRESS, INIT), error);
    assert.deepEqual(notes.requests, [`tags ${result} 1`]);
  });
}

Deno.test("withMeasurement() counts what is read of a body, and hands it on as it is", async () => {
  const notes = new Notes();
  const bytes = firmwareBytes(200_000, 1);
  const { body } = await measured(() => new Response(bytes), notes)(ADDRESS, INIT);
  assert.equal(notes.bytes.size, 0);
  assert(body !== null);
  assert.deepEqual(await bytesOf(body, { limit: bytes.length }), bytes);
  assert.deepEqual([...notes.bytes], [["tags", bytes.length]]);
});

Deno.test("withMeasurement() lets go of a body that its reader lets go of", async () => {
  let reason: unknown;
  const body = new ReadableStream({ cancel: (why) => void (reason = why) });
  const response = await measured(() => new Response(body), new Notes())(ADDRESS, INIT);
  await response.body?.cancel("enough");
  assert.equal(reason, "enough");
});

Deno.test("withMeasurement() hands on how a body fails", async () => {
  const failure = new Error("broke off");
  const body = new ReadableStream({ pull: (controller) => controller.error(failure) });
  const response = await measured(() => new Response(body), new Notes())(ADDRESS, INIT);
  await assert.rejects(response.bytes(), failure);
});

Deno.test("withMeasurement() gives a request that does not say what it asks for a kind, too", async () => {
  const notes = new Notes();
  await measured(() => new Response(), notes)(ADDRESS, { method: "GET", headers: {} });
  assert.deepEqual(notes.requests, ["other ok 1"]);
});

Deno.test("without an observer withMeasurement() adds nothing", () => {
  const below: Fetch = () => Promise.resolve(new Response());
  assert.equal(withMeasurement(below, {}), below);
});

Deno.test("all that a client asks a registry has its kind", async () => {
  await using registry = new FakeRegistry({
    auth: { mode: "bearer" },
    redirectBlobs: true,
    referrers: true,
  });
  const artifact = orasArtifact(firmwareBytes(5000, 1));
  registry.push("pump", "1.0.0", artifact);
  const notes = new Notes();
  const url = new URL(registry.origin);
  const fetch = createTransport({
    registry: url,
    userAgent: "test",
    idleMs: 5000,
    observer: notes,
  });
  const client = new RegistryClient({ url, repositoryPrefix: "", fetch });
  await client.ping();
  await client.listTags("pump");
  await client.peekDigest("pump", "1.0.0");
  const { bytes } = await client.fetchManifest("pump", "1.0.0");
  const [digest] = [...artifact.blobs].find(([, { length }]) => length === 5000) ?? [];
  const layer = { digest: `${digest}` as `sha256:${string}`, size: 5000, mediaType: "" };
  await bytesOf(await client.openBlob("pump", layer), { limit: 5000 });
  await client.listReferrers("pump", artifact.digest as `sha256:${string}`);
  const kinds = notes.requests.map((request) => request.split(" ").slice(0, 2).join(" "));
  assert.deepEqual(kinds, [
    "ping unauthorized",
    "token ok",
    "ping ok",
    "tags unauthorized",
    "token ok",
    "tags ok",
    "manifest ok",
    "manifest ok",
    "blob redirect",
    "blob ok",
    "referrers ok",
  ]);
  assert.equal(notes.bytes.get("blob"), 5000);
  assert.equal(notes.bytes.get("manifest"), bytes.length);
});
