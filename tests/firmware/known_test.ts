import assert from "node:assert/strict";
import { ServiceError } from "../../src/errors.ts";
import type { AnnounceOptions, Firmware, FirmwareRecord } from "../../src/firmware/firmware.ts";
import { SELECTIONS_LIMIT } from "../../src/firmware/cache.ts";
import { formatSelection, keyOf, type Query, type Selection } from "../../src/selection.ts";
import { recordOf } from "../helpers/disk.ts";
import { Observed } from "../helpers/fake_source.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { knownFirmware } from "../helpers/known.ts";
import { CapturedLogs } from "../helpers/logs.ts";

const HOLD_MS = 5000;
const V1 = recordOf(firmwareBytes(100, 1), "1.0.0").firmware;
const V2 = recordOf(firmwareBytes(100, 2), "2.0.0").firmware;

/** What is known of two devices at most, by a clock that stands still. */
class Bench {
  nowMs = 1000;
  readonly observed = new Observed();
  readonly announced: (readonly [string, string, AnnounceOptions | undefined])[] = [];
  readonly dropped: string[] = [];
  /** What was written down, and what was removed. */
  readonly kept: string[] = [];
  readonly known = knownFirmware({
    store: {
      save: (query: Query, { firmware, documents }: FirmwareRecord): Promise<boolean> => {
        const selection = formatSelection(query.selection);
        this.kept.push(`${selection} ${firmware.version} ${documents.length}`);
        return Promise.resolve(true);
      },
      remove: ({ device }: Query): Promise<void> => {
        this.kept.push(`without ${device}`);
        return Promise.resolve();
      },
    },
    observer: this.observed,
    notifier: {
      announce: (device, { version }, options): Promise<void> => {
        this.announced.push([device, version, options]);
        return Promise.resolve();
      },
    },
    cacheSize: 2,
    holdMs: HOLD_MS,
    onDrop: (key) => this.dropped.push(key),
    now: () => this.nowMs,
  });

  key(selection: Selection = {}): string {
    return keyOf({ device: "pump", selection });
  }
}

Deno.test("KnownFirmware.confirm() takes down and announces what is new, and not what was known", () => {
  const { known, observed, announced } = new Bench();
  known.confirm("pump", V1, undefined);
  known.confirm("pump", V1, V1);
  known.confirm("pump", V2, V1);
  assert.equal(known.cache.peek("pump")?.firmware, V2);
  assert.deepEqual(observed.misses, ["pump", "pump"]);
  assert.deepEqual(announced, [["pump", "1.0.0", undefined], ["pump", "2.0.0", undefined]]);
});

Deno.test("KnownFirmware.confirm() says since when a firmware is the device's, and when it was confirmed", () => {
  const bench = new Bench();
  const times = (newest: Firmware, known?: Firmware): readonly unknown[] => {
    bench.nowMs += 100;
    bench.known.confirm("pump", newest, known);
    const entry = bench.known.cache.peek("pump");
    return [entry?.sinceMs, entry?.confirmedAtMs];
  };
  assert.deepEqual(times(V1), [1100, 1100]);
  assert.deepEqual(times(V1, V1), [1100, 1200]);
  assert.deepEqual(times(V2, V1), [1300, 1300]);
});

Deno.test("KnownFirmware holds what was replaced, for as long as it is told to", () => {
  const bench = new Bench();
  bench.known.confirm("pump", V1, undefined);
  bench.known.confirm("pump", V2, V1);
  const isHeld = (): boolean => {
    bench.known.expire(bench.nowMs);
    return bench.known.held("pump", V1.digest) === V1;
  };
  assert(isHeld());
  bench.nowMs += HOLD_MS;
  assert(!isHeld());
});

Deno.test("KnownFirmware holds what was served until now, too, where the check knew of another", () => {
  const { known } = new Bench();
  // It lost its place while the check waited for its turn, and came back from the store as another.
  known.restore("pump", V2, 0);
  known.confirm("pump", V1, V1);
  assert.equal(known.held("pump", V2.digest), V2);
  assert.equal(known.held("pump", V1.digest), undefined, "nobody has replaced it");
});

Deno.test("KnownFirmware holds a firmware for whoever asks for the same bytes, in whatever words", () => {
  const bench = new Bench();
  bench.known.hold(bench.key({ file: "app.bin" }), V1);
  const isHeld = (selection: Selection): boolean =>
    bench.known.held(bench.key(selection), V1.digest) === V1;
  assert(isHeld({ file: "app.bin", version: "1.0.0" }));
  assert(isHeld({ file: "app.bin", constraint: "^1" }));
  assert(!isHeld({ file: "other.bin" }), "one artifact has many files");
  assert(!isHeld({}));
});

Deno.test("KnownFirmware announces nothing that a device has to select", () => {
  const bench = new Bench();
  bench.known.confirm(bench.key({ channel: "beta" }), V1, undefined);
  bench.known.restore(bench.key({ channel: "beta" }), V1, 0);
  assert.deepEqual(bench.announced, []);
  bench.known.restore("pump", V1, 0);
  assert.deepEqual(bench.announced, [["pump", "1.0.0", { isConfirmed: false }]]);
});

Deno.test("KnownFirmware.fail() keeps what was known, and puts the next check off longer each time", () => {
  using logs = new CapturedLogs();
  const { known, observed } = new Bench();
  known.confirm("pump", V1, undefined);
  const error = new ServiceError("source-refused", "Registry answered 403");
  const retries = [1, 2, 3].map(() => {
    known.fail("pump", error);
    return known.cache.peek("pump")?.retryAtMs;
  });
  assert.deepEqual(retries, [2000, 3000, 5000]);
  const entry = known.cache.peek("pump");
  assert.deepEqual([entry?.firmware, entry?.failures, entry?.failure?.error], [V1, 3, error]);
  assert.deepEqual(observed.failures, Array(3).fill("source-refused"));
  assert.equal(logs.messages("warn").length, 1, "the log hears of it once");
  known.confirm("pump", V1, V1);
  assert.deepEqual(known.cache.peek("pump")?.failures, 0);
  assert.deepEqual(logs.messages("info"), ["Firmware is checked again"]);
});

Deno.test("KnownFirmware.fail() refuses a device for which nothing is known", () => {
  const { known } = new Bench();
  const error = new ServiceError("signature-invalid", "Not signed");
  known.fail("pump", error);
  assert.equal(known.refusal("pump"), error);
  assert.deepEqual([...known.failing()].map(([key]) => key), ["pump"]);
  known.confirm("pump", V1, undefined);
  assert.equal(known.refusal("pump"), undefined);
});

Deno.test("KnownFirmware.forget() lets go of a firmware everywhere, but holds it for who was told of it", async () => {
  const { known, observed, dropped, kept } = new Bench();
  known.confirm("pump", V1, undefined);
  const error = new ServiceError("firmware-unknown", "No firmware");
  await known.forget("pump", V1, error);
  assert.equal(known.cache.peek("pump"), undefined);
  assert.equal(known.held("pump", V1.digest), V1);
  assert.equal(known.refusal("pump"), error);
  assert.deepEqual([dropped, kept, observed.entryCounts], [["pump"], ["without pump"], [1, 0]]);
});

Deno.test("KnownFirmware.share() gives a version by its name what the device is served under it", async () => {
  const bench = new Bench();
  bench.known.confirm("pump", V1, undefined);
  const key = bench.key({ version: "1.0.0" });
  assert.equal((await bench.known.share(key))?.firmware, V1);
  assert.equal(bench.known.cache.peek(key)?.firmware, V1);
  assert.deepEqual(bench.kept, ["version=1.0.0 1.0.0 0"]);
  for (const selection of [{ version: "2.0.0" }, { version: "1.0.0", file: "b" }, {}]) {
    assert.equal(await bench.known.share(bench.key(selection)), undefined);
  }
});

Deno.test("KnownFirmware drops a selection for others of its device, but no device for others", () => {
  const bench = new Bench();
  for (const device of ["lamp", "valve", "pump"]) bench.known.confirm(device, V1, undefined);
  assert.deepEqual([bench.dropped, bench.observed.entryCounts], [[], [1, 2, 2]]);
  const keys = Array.from({ length: SELECTIONS_LIMIT }, (_, at) => bench.key({ file: `${at}` }));
  for (const key of keys) bench.known.confirm(key, V1, undefined);
  assert.deepEqual(bench.dropped, keys.slice(0, 1));
});
