import assert from "node:assert/strict";
import { ServiceError } from "../../src/errors.ts";
import { TagLists, type TagListWish } from "../../src/firmware/tag_lists.ts";
import { orasArtifact } from "../helpers/artifacts.ts";
import { FakeSource } from "../helpers/fake_source.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { Gate } from "../helpers/registry/gate.ts";

/** Lists of a source with one device, by a clock that stands still. */
class Bench {
  nowMs = 1000;
  answers = 0;
  readonly source = new FakeSource();
  readonly lists = new TagLists({
    source: this.source,
    now: () => this.nowMs,
    onAnswer: () => this.answers++,
  });

  constructor() {
    this.source.push("a", "1.0.0", orasArtifact(firmwareBytes(10)));
  }

  /** What is listed, for somebody who takes any list, unless there is a wish. */
  async versions(wish: Partial<TagListWish> = {}, device = "a"): Promise<readonly string[]> {
    const versions = await this.lists.get(device, { since: -1, ...wish });
    return versions.map(({ version }) => version);
  }
}

Deno.test("TagLists.get() shares a list with who can do with it, and with nobody else", async () => {
  const bench = new Bench();
  const before = bench.lists.moment;
  assert.deepEqual(await bench.versions(), ["1.0.0"]);
  const since = bench.lists.moment;
  bench.source.push("a", "2.0.0", orasArtifact(firmwareBytes(10)));
  bench.nowMs += 500;
  assert.deepEqual(await bench.versions({ since: before }), ["1.0.0"]);
  assert.deepEqual(await bench.versions({ since, sharedForMs: 501 }), ["1.0.0"]);
  assert.deepEqual(bench.source.calls, ["listTags"]);
  assert.deepEqual(await bench.versions({ since, sharedForMs: 500 }), ["2.0.0", "1.0.0"]);
  assert.deepEqual(bench.source.calls, ["listTags", "listTags"]);
  assert.equal(bench.answers, 2);
});

Deno.test("TagLists.get() asks once for all who come while it asks", async () => {
  const bench = new Bench();
  bench.source.gate = new Gate();
  const all = Array.from({ length: 20 }, () => bench.versions({ since: Infinity }));
  bench.source.gate.open();
  for (const versions of await Promise.all(all)) assert.deepEqual(versions, ["1.0.0"]);
  assert.deepEqual(bench.source.calls, ["listTags"]);
});

Deno.test("TagLists.forget() lets nobody join what began before", async () => {
  const bench = new Bench();
  bench.source.gate = new Gate();
  const before = bench.versions();
  bench.lists.forget("a");
  const after = bench.versions();
  assert.deepEqual(bench.source.calls, ["listTags", "listTags"]);
  bench.source.gate.open();
  await Promise.all([before, after]);
});

Deno.test("TagLists.get() remembers that there is no device, but no outage", async () => {
  const bench = new Bench();
  const unknown = { code: "firmware-unknown" };
  await assert.rejects(bench.versions({}, "b"), unknown);
  await assert.rejects(bench.versions({}, "b"), unknown);
  assert.deepEqual(bench.source.calls, ["listTags"]);
  bench.source.failure = new ServiceError("source-timeout", "Slow");
  await assert.rejects(bench.versions(), { code: "source-timeout" });
  bench.source.failure = undefined;
  assert.deepEqual(await bench.versions(), ["1.0.0"]);
  assert.equal(bench.answers, 1);
});

Deno.test("TagLists.get() remembers so many versions in all", async () => {
  const bench = new Bench();
  const tags = Array.from({ length: 30_000 }, (_, at) => `1.0.${at}`);
  bench.source.listTags = (device: string): Promise<readonly string[]> => {
    asked.push(device);
    return Promise.resolve(tags);
  };
  const asked: string[] = [];
  for (const device of ["a", "b", "b", "a"]) await bench.versions({}, device);
  assert.deepEqual(asked, ["a", "b", "a"]);
});
