import assert from "node:assert/strict";
import { ServiceError } from "../../src/errors.ts";
import { FirmwareRestorer } from "../../src/firmware/restorer.ts";
import { formatSelection, type Query } from "../../src/selection.ts";
import { recordOf } from "../helpers/disk.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { knownFirmware } from "../helpers/known.ts";
import { CapturedLogs } from "../helpers/logs.ts";

const { firmware } = recordOf(firmwareBytes(100));
const NOW_MS = 1_000_000;

/** A store with the firmware of a pump, saved ten seconds ago under a policy. */
class Bench {
  readonly known = knownFirmware();
  /** What the store was asked for. */
  readonly loads: string[] = [];
  /** Under which policy firmware is trusted as it is. */
  policy: string | undefined = "new";
  savedAt = new Date(Date.now() - 10_000);
  /** What comes of it where it is verified anew. */
  reverify: () => Promise<void> = () => Promise.reject(new Error("Nobody asked for that"));
  readonly restorer = new FirmwareRestorer({
    store: {
      load: (query: Query) => {
        this.loads.push(`${query.device}?${formatSelection(query.selection)}`);
        return Promise.resolve(
          query.device === "pump" ? { firmware, savedAt: this.savedAt, policy: "old" } : undefined,
        );
      },
    },
    known: this.known,
    lookup: { trusts: (policy) => policy === this.policy, reverify: () => this.reverify() },
    gate: { ask: (work) => work() },
    now: () => NOW_MS,
  });
}

Deno.test("FirmwareRestorer brings back what was left, as old as it is", async () => {
  const bench = new Bench();
  bench.policy = "old";
  const entry = await bench.restorer.load("pump");
  assert.equal(entry?.firmware, firmware);
  const ageMs = NOW_MS - (entry?.confirmedAtMs ?? 0);
  assert(ageMs >= 10_000 && ageMs < 60_000, `${ageMs}`);
  assert.equal(bench.known.cache.peek("pump"), entry);
});

Deno.test("FirmwareRestorer takes what was saved by a clock that ran ahead for new", async () => {
  const bench = new Bench();
  bench.policy = "old";
  bench.savedAt = new Date(Date.now() + 3_600_000);
  assert.equal((await bench.restorer.load("pump"))?.confirmedAtMs, NOW_MS);
});

Deno.test("FirmwareRestorer reads once for all who come at once, and nothing for what is no device", async () => {
  const bench = new Bench();
  bench.policy = "old";
  const [one, other] = await Promise.all(["a", "b"].map(() => bench.restorer.load("pump")));
  assert(one !== undefined && one === other);
  assert.equal(await bench.restorer.load("lamp"), undefined);
  assert.equal(await bench.restorer.load("../pump"), undefined);
  assert.deepEqual(bench.loads, ["pump?", "lamp?"]);
});

Deno.test("FirmwareRestorer does not put what was left in the place of what was found meanwhile", async () => {
  const bench = new Bench();
  bench.policy = "old";
  const loading = bench.restorer.load("pump");
  const newer = recordOf(firmwareBytes(100, 2), "2.0.0").firmware;
  bench.known.confirm("pump", newer, undefined);
  assert.equal((await loading)?.firmware, newer);
});

Deno.test("FirmwareRestorer serves what was verified under other keys only once it is verified anew", async () => {
  using logs = new CapturedLogs();
  const bench = new Bench();
  const refusal = new ServiceError("signature-invalid", "Not signed");
  bench.reverify = () => Promise.reject(refusal);
  assert.equal(await bench.restorer.load("pump"), undefined);
  assert.deepEqual(logs.messages("warn"), [
    "Kept firmware is not served, it was verified under other keys",
  ]);
  bench.reverify = () => Promise.resolve();
  assert.equal((await bench.restorer.load("pump"))?.firmware, firmware);
});

Deno.test("FirmwareRestorer asks nobody about a device that is refused anyway", async () => {
  const bench = new Bench();
  let asked = 0;
  bench.reverify = () => Promise.resolve(void asked++);
  bench.known.fail("pump", new ServiceError("signature-invalid", "Not signed"));
  assert.equal(await bench.restorer.load("pump"), undefined);
  assert.equal(asked, 0);
});
