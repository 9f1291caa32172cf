import assert from "node:assert/strict";
import { ServiceError } from "../../src/errors.ts";
import { FirmwareLookup } from "../../src/firmware/lookup.ts";
import type { Descriptor, Digest } from "../../src/oci.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { orasArtifact } from "../helpers/artifacts.ts";
import { FakeSource, Observed, WatchedStream } from "../helpers/fake_source.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { storedBytes } from "../helpers/stored.ts";

const DEVICE = "esp32";

function lookupAt(source: FakeSource): { lookup: FirmwareLookup; store: MemoryStore } {
  const store = new MemoryStore({ maxBytes: 1000 });
  const observer = new Observed();
  const options = { source, store, maxFirmwareBytes: 100, observer, onAnswer: () => {} };
  return { lookup: new FirmwareLookup(options), store };
}

Deno.test("FirmwareLookup.newest() believes no digest that a source only claims", async () => {
  const source = new FakeSource();
  source.push(DEVICE, "1.0.0", orasArtifact(firmwareBytes(10, 1)));
  source.push(DEVICE, "2.0.0", orasArtifact(firmwareBytes(10, 2)));
  const { lookup } = lookupAt(source);
  const known = await lookup.newest(DEVICE, undefined);
  source.peekDigest = () => Promise.resolve(`sha256:${"0".repeat(64)}` as Digest);
  assert.equal((await lookup.newest(DEVICE, known)).version, "2.0.0");
});

Deno.test("FirmwareLookup.newest() asks once more for a blob that breaks off", async () => {
  const source = new FakeSource();
  source.push(DEVICE, "1.0.0", orasArtifact(firmwareBytes(10, 1)));
  const broken = new ServiceError("source-unavailable", "Registry cannot be reached");
  const open = source.openBlob.bind(source);
  let opened = 0;
  const breakFirst = (times: number): void => {
    opened = 0;
    source.openBlob = (device: string, blob: Descriptor): Promise<ReadableStream<Uint8Array>> =>
      ++opened <= times
        ? Promise.resolve(new WatchedStream(firmwareBytes(5, 1), { error: broken }).stream)
        : open(device, blob);
  };
  const { lookup, store } = lookupAt(source);
  breakFirst(1);
  const { sha256 } = await lookup.newest(DEVICE, undefined);
  assert.deepEqual(await storedBytes(store, sha256), firmwareBytes(10, 1));
  breakFirst(2);
  await assert.rejects(lookup.newest(DEVICE, undefined), broken);
  assert.equal(opened, 2);
});
