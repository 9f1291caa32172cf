import assert from "node:assert/strict";
import { type ErrorCode, ServiceError } from "../../src/errors.ts";
import { FirmwareChecks } from "../../src/firmware/checks.ts";
import type { Firmware } from "../../src/firmware/firmware.ts";
import type { NewestOptions } from "../../src/firmware/lookup.ts";
import { QueryKeys } from "../../src/firmware/query_keys.ts";
import { keyOf, type Question } from "../../src/selection.ts";
import { recordOf } from "../helpers/disk.ts";
import { Observed } from "../helpers/fake_source.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { knownFirmware } from "../helpers/known.ts";
import { Gate } from "../helpers/registry/gate.ts";

const { firmware } = recordOf(firmwareBytes(100));
const BETA = keyOf({ device: "pump", selection: { channel: "beta" } });

/** Checks at a lookup that finds what a test says. */
class Bench {
  nowMs = 1000;
  readonly known = knownFirmware({ now: () => this.nowMs });
  readonly observed = new Observed();
  /** What was asked, in order. */
  readonly asked: string[] = [];
  /** What spared the source requests, each time. */
  readonly wishes: (NewestOptions | undefined)[] = [];
  /** Devices whose tags were forgotten. */
  readonly forgotten: string[] = [];
  /** Holds each lookup while it is set. */
  held: Gate | undefined;
  /** Thrown for a query, by its key. */
  readonly failures = new Map<string, ServiceError>();
  /** Whether the source answers, and whether it would be asked. */
  readonly gate = {
    isUp: true,
    admits: true,
    ask: <T>(work: () => Promise<T>): Promise<T> => work(),
    behind: <T>(work: () => Promise<T>): Promise<T> => work(),
  };
  readonly checks = new FirmwareChecks({
    keys: new QueryKeys({}),
    known: this.known,
    lookup: {
      moment: 7,
      newest: (question, _before, options): Promise<Firmware> => {
        this.wishes.push(options);
        return this.#find("newest", question);
      },
      exact: (question, name): Promise<Firmware> => this.#find(`exact ${name.version}`, question),
      forgetTags: (device) => void this.forgotten.push(device),
    },
    gate: this.gate,
    observer: this.observed,
    refreshIntervalMs: 60_000,
    unknownForMs: 10_000,
    now: () => this.nowMs,
  });

  fail(key: string, code: ErrorCode): ServiceError {
    const error = new ServiceError(code, "No");
    this.failures.set(key, error);
    return error;
  }

  async #find(what: string, question: Question): Promise<Firmware> {
    const key = typeof question === "string" ? question : keyOf(question);
    this.asked.push(`${what} ${key}`);
    await this.held?.pass();
    const failure = this.failures.get(key);
    if (failure !== undefined) throw failure;
    return firmware;
  }
}

Deno.test("FirmwareChecks.join() makes one check for all who wait, and takes down what comes of it", async () => {
  const { checks, known, asked } = new Bench();
  const found = await Promise.all([checks.join("pump"), checks.join("pump")]);
  assert.deepEqual(found, [firmware, firmware]);
  assert.deepEqual(asked, ["newest pump"]);
  assert.equal(known.cache.peek("pump")?.firmware, firmware);
  assert(!checks.has("pump"));
});

for (const [code, isKept] of [["source-refused", true], ["firmware-unknown", false]] as const) {
  Deno.test(`FirmwareChecks.join() ${isKept ? "keeps" : "forgets"} what was known where the check ends as ${code}`, async () => {
    const bench = new Bench();
    await bench.checks.join("pump");
    const error = bench.fail("pump", code);
    await assert.rejects(bench.checks.join("pump"), error);
    assert.equal(bench.known.cache.peek("pump") !== undefined, isKept);
    assert.deepEqual(bench.forgotten, ["pump"], "the list of tags may be mended before it is old");
  });
}

Deno.test("FirmwareChecks.join() shares tag lists only for what nobody knows yet, and while the source answers", async () => {
  const bench = new Bench();
  const shared = async (key: string): Promise<number | undefined> => {
    await bench.checks.join(key);
    return bench.wishes.at(-1)?.sharedForMs;
  };
  assert.equal(await shared("pump"), 0, "a device by its id alone");
  assert.equal(await shared(BETA), 10_000);
  assert.equal(await shared(BETA), 0, "it is known now");
  bench.gate.isUp = false;
  assert.equal(await shared(keyOf({ device: "pump", selection: { file: "b" } })), 0);
});

Deno.test("FirmwareChecks.startBehind() checks once, and not where it is too early or the source has a pause", async () => {
  const bench = new Bench();
  const { checks } = bench;
  await checks.join("pump");
  const entry = bench.known.cache.peek("pump");
  assert(entry !== undefined);
  const start = (retryAtMs = 0): boolean => checks.startBehind("pump", { ...entry, retryAtMs });
  assert(!start(bench.nowMs + 1));
  bench.gate.admits = false;
  assert(!start());
  bench.gate.admits = true;
  bench.held = new Gate();
  assert(start(bench.nowMs));
  assert(!start(), "it is being checked");
  bench.held.open();
  await checks.settled("pump");
  assert.equal(bench.asked.length, 2);
});

for (
  const [code, isPassedOn] of [
    ["source-unavailable", true],
    ["storage-failed", true],
    ["firmware-unknown", false],
    ["artifact-invalid", false],
  ] as const
) {
  Deno.test(`FirmwareChecks.joinAll() ${isPassedOn ? "fails" : "does not fail"} where another selection ends as ${code}`, async () => {
    const bench = new Bench();
    const error = bench.fail(BETA, code);
    const all = bench.checks.joinAll("pump", [BETA]);
    if (isPassedOn) await assert.rejects(all, error);
    else assert.equal(await all, firmware);
    assert.equal(bench.known.cache.peek("pump")?.firmware, firmware);
  });
}

Deno.test("FirmwareChecks.fetch() fetches a firmware once for all, and holds it", async () => {
  const { checks, known, asked, observed } = new Bench();
  const name = { ...firmware, version: "0.9.0" };
  assert.equal(known.held("pump", firmware.digest), undefined);
  await Promise.all([checks.fetch("pump", name), checks.fetch("pump", name)]);
  assert.deepEqual(asked, ["exact 0.9.0 pump"]);
  assert.equal(known.held("pump", firmware.digest), firmware);
  assert.deepEqual(observed.misses, ["pump"]);
});
