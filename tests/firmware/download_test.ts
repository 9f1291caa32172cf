import assert from "node:assert/strict";
import { type ErrorCode, isServiceError, ServiceError } from "../../src/errors.ts";
import { resolveArtifact } from "../../src/firmware/artifact.ts";
import { FirmwareDownload } from "../../src/firmware/download.ts";
import type { FirmwareRecord } from "../../src/firmware/firmware.ts";
import { asQuery } from "../../src/selection.ts";
import { orasArtifact } from "../helpers/artifacts.ts";
import { FakeSource, WatchedStream } from "../helpers/fake_source.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { WatchedStore } from "../helpers/stored.ts";

const BYTES = firmwareBytes(100);
const NAME = { tag: "v1.0.0", version: "1.0.0" };

/** A download of 100 bytes; each error breaks the blob off once, behind its first half. */
class Bench {
  readonly source = new FakeSource();
  readonly store = new WatchedStore();
  readonly #errors: Error[];

  constructor(...codes: readonly ErrorCode[]) {
    this.#errors = codes.map((code) => new ServiceError(code, "Broke off"));
    this.source.push("pump", NAME.tag, orasArtifact(BYTES));
    const open = this.source.openBlob.bind(this.source);
    this.source.openBlob = async (device, blob) => {
      const stream = await open(device, blob);
      const error = this.#errors.shift();
      return error === undefined ? stream : new WatchedStream(BYTES.slice(0, 50), { error }).stream;
    };
  }

  async fetch({ maxFirmwareBytes = 100 } = {}): Promise<FirmwareRecord> {
    const artifact = await resolveArtifact(this.source, asQuery("pump"), NAME.tag);
    this.source.forgetCalls();
    return await new FirmwareDownload({ ...this, maxFirmwareBytes })
      .fetch("pump", { name: NAME, artifact });
  }
}

Deno.test("FirmwareDownload stores the bytes, and says what is to be written down", async () => {
  const bench = new Bench();
  const { firmware, layer } = await bench.fetch();
  assert.deepEqual([firmware.tag, firmware.version, firmware.size], ["v1.0.0", "1.0.0", 100]);
  assert.deepEqual(await bench.store.bytes(firmware.sha256), BYTES);
  assert.deepEqual(layer, { digest: `sha256:${firmware.sha256}`, sha256: firmware.sha256 });
});

Deno.test("FirmwareDownload asks for nothing that says it is too large", async () => {
  const bench = new Bench();
  const isTooLarge = { code: "artifact-invalid", message: /has 100 bytes, want 99 at most$/ };
  await assert.rejects(bench.fetch({ maxFirmwareBytes: 99 }), isTooLarge);
  assert.deepEqual(bench.source.calls, []);
});

for (
  const [codes, asked, isStored] of [
    [["source-unavailable"], 2, true],
    [["source-unavailable", "source-unavailable"], 2, false],
    [["source-timeout"], 1, false],
    [["source-refused"], 1, false],
  ] as const
) {
  Deno.test(`FirmwareDownload asks ${asked} times where the blob ends as ${codes}`, async () => {
    const bench = new Bench(...codes);
    const error = await bench.fetch().then(() => undefined, (error: unknown) => error);
    assert.equal(isServiceError(error, codes[0]), !isStored);
    assert.equal(bench.source.calls.length, asked);
    assert.deepEqual([bench.store.committed.length, bench.store.open], [isStored ? 1 : 0, 0]);
  });
}
