import assert from "node:assert/strict";
import type { Firmware } from "../../src/firmware/firmware.ts";
import { FirmwareOpener } from "../../src/firmware/opener.ts";
import { QueryKeys } from "../../src/firmware/query_keys.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { put, recordOf } from "../helpers/disk.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { bytesOf } from "../helpers/stored.ts";

const BYTES = firmwareBytes(100);
const { firmware } = recordOf(BYTES);

/** An opener whose firmware is fetched from the test, by a clock that stands still. */
class Bench {
  nowMs = 1000;
  readonly store = new MemoryStore({ maxBytes: 1000 });
  /** Under which keys was fetched. */
  readonly fetched: string[] = [];
  /** What a fetch brings into the store. */
  brings: Uint8Array | undefined = BYTES;
  readonly opener = new FirmwareOpener({
    keys: new QueryKeys({ constraint: "1.x" }),
    store: this.store,
    checks: {
      fetch: async (key): Promise<Firmware> => {
        this.fetched.push(key);
        if (this.brings !== undefined) await put(this.store, this.brings);
        return firmware;
      },
    },
    now: () => this.nowMs,
  });

  async open(): Promise<Uint8Array> {
    return await bytesOf(await this.opener.open("pump", firmware));
  }
}

Deno.test("FirmwareOpener opens what is in the store, and fetches nothing for it", async () => {
  const bench = new Bench();
  await put(bench.store, BYTES);
  assert.deepEqual(await bench.open(), BYTES);
  assert.deepEqual(bench.fetched, []);
  assert.deepEqual(bench.opener.fetchedAgain(0), { count: 0, lastAgoMs: undefined });
});

Deno.test("FirmwareOpener fetches what the store has let go of, for what was asked, and counts it", async () => {
  const bench = new Bench();
  assert.deepEqual(await bench.open(), BYTES);
  assert.deepEqual(await bench.open(), BYTES);
  assert.deepEqual(bench.fetched, [new QueryKeys({ constraint: "1.x" }).of("pump")]);
  assert.deepEqual(bench.opener.fetchedAgain(1300), { count: 1, lastAgoMs: 300 });
});

Deno.test("FirmwareOpener gives up on what does not stay in the store even then", async () => {
  const bench = new Bench();
  bench.brings = undefined;
  await assert.rejects(bench.open(), { code: "storage-failed" });
  assert.equal(bench.fetched.length, 1);
});
