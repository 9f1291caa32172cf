import assert from "node:assert/strict";
import type { Digest } from "../../src/digest.ts";
import { ServiceError } from "../../src/errors.ts";
import { FirmwareLookup } from "../../src/firmware/lookup.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { orasArtifact } from "../helpers/artifacts.ts";
import { FakeSource, Observed } from "../helpers/fake_source.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { storedBytes } from "../helpers/stored.ts";

const DEVICE = "esp32";
const one = orasArtifact(firmwareBytes(100, 1));
const two = orasArtifact(firmwareBytes(100, 2));

/** A lookup at a source with 1.0.0; what it told is among the questions. */
class Bench {
  readonly source = new FakeSource();
  /** What had been asked each time that an answer was told of. */
  readonly told: (readonly string[])[] = [];
  readonly store = new MemoryStore({ maxBytes: 10_000 });
  readonly lookup = new FirmwareLookup({
    source: this.source,
    store: this.store,
    maxFirmwareBytes: 1000,
    observer: new Observed(),
    onAnswer: () => this.told.push([...this.source.calls]),
  });

  constructor() {
    this.source.push(DEVICE, "1.0.0", one);
  }
}

Deno.test("FirmwareLookup.newest() gives back what is known where nothing has changed", async () => {
  const { lookup, source } = new Bench();
  const known = await lookup.newest(DEVICE, undefined);
  source.forgetCalls();
  assert.equal(await lookup.newest(DEVICE, known), known);
  assert.deepEqual(source.calls, ["listTags", "peekDigest"]);
});

Deno.test("FirmwareLookup.newest() remembers nothing by itself", async () => {
  const { lookup, source } = new Bench();
  await lookup.newest(DEVICE, undefined);
  source.forgetCalls();
  await lookup.newest(DEVICE, undefined);
  assert.deepEqual(source.calls, ["listTags", "fetchManifest", "openBlob"]);
});

Deno.test("FirmwareLookup.newest() follows a tag that was moved to older firmware", async () => {
  const { lookup, source } = new Bench();
  source.push(DEVICE, "2.0.0", two);
  const known = await lookup.newest(DEVICE, undefined);
  source.push(DEVICE, "2.0.0", one);
  const moved = await lookup.newest(DEVICE, known);
  assert.deepEqual([moved.version, moved.digest], ["2.0.0", one.digest]);
});

Deno.test("FirmwareLookup.newest() tells of an answer before the download begins", async () => {
  const { lookup, told } = new Bench();
  await lookup.newest(DEVICE, undefined);
  assert.deepEqual(told, [["listTags"]]);
});

Deno.test("FirmwareLookup.newest() tells of no answer where there was none", async () => {
  const { lookup, source, told } = new Bench();
  source.failure = new ServiceError("source-timeout", "Slow");
  await assert.rejects(lookup.newest(DEVICE, undefined), { code: "source-timeout" });
  assert.deepEqual(told, []);
});

Deno.test("FirmwareLookup.exact() finds what is no longer the newest, and tells of an answer", async () => {
  const { lookup, source, store, told } = new Bench();
  source.push(DEVICE, "2.0.0", two);
  const name = { tag: "1.0.0", version: "1.0.0", digest: one.digest } as const;
  const firmware = await lookup.exact(DEVICE, name as Parameters<typeof lookup.exact>[1]);
  assert.deepEqual(await storedBytes(store, firmware.sha256), firmwareBytes(100, 1));
  assert.deepEqual(source.calls, ["fetchManifest", "openBlob"]);
  assert.deepEqual(told, [["fetchManifest"]]);
  source.deleteManifest(one.digest);
  await assert.rejects(lookup.exact(DEVICE, firmware), {
    code: "firmware-gone",
    message: `Firmware 1.0.0 of device '${DEVICE}' is no longer there, ask for the version`,
  });
});

Deno.test("FirmwareLookup.newest() believes no digest that a source only claims", async () => {
  const { lookup, source } = new Bench();
  source.push(DEVICE, "2.0.0", two);
  const known = await lookup.newest(DEVICE, undefined);
  source.peekDigest = () => Promise.resolve(`sha256:${"0".repeat(64)}` as Digest);
  assert.equal((await lookup.newest(DEVICE, known)).version, "2.0.0");
});

Deno.test("FirmwareLookup.newest() dates a firmware by its author, and one that follows it later", async () => {
  const { lookup, source } = new Bench();
  const first = await lookup.newest(DEVICE, undefined);
  assert.equal(
    first.modifiedAt.toISOString(),
    first.annotations["org.opencontainers.image.created"]
      ?.replace("Z", ".000Z"),
  );
  // Of the same date.
  source.push(DEVICE, "2.0.0", two);
  const second = await lookup.newest(DEVICE, first);
  assert.ok(second.modifiedAt > first.modifiedAt);
});

Deno.test("FirmwareLookup.exact() leaves the date as it was known", async () => {
  const { lookup } = new Bench();
  const known = await lookup.newest(DEVICE, undefined);
  const modifiedAt = new Date("2020-01-01T00:00:00Z");
  assert.deepEqual(await lookup.exact(DEVICE, { ...known, modifiedAt }), { ...known, modifiedAt });
});
