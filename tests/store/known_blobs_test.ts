import assert from "node:assert/strict";
import { KnownBlobs } from "../../src/store/known_blobs.ts";

const VERIFIED = { isVerified: true };

function statusOf(size: number): Deno.FileInfo {
  return { isFile: true, size, mtime: new Date(1000), ino: 7 } as Deno.FileInfo;
}

Deno.test("KnownBlobs keeps the order of use, and counts each blob's bytes once", () => {
  const known = new KnownBlobs();
  for (const [sha256, size] of [["a", 1], ["b", 20], ["c", 300], ["a", 4000]] as const) {
    known.learn(sha256, statusOf(size), VERIFIED);
  }
  assert.deepEqual([known.byUse(), known.bytes], [["b", "c", "a"], 4320]);
  known.touch("b");
  known.touch("nobody's");
  assert.deepEqual([known.byUse(), known.bytes], [["c", "a", "b"], 4320]);
  known.forget("a");
  known.forget("a");
  assert.deepEqual([known.byUse(), known.bytes], [["c", "b"], 320]);
  assert.deepEqual([known.has("b"), known.has("a")], [true, false]);
});

for (
  const [what, change] of [
    ["is no file any more", { isFile: false }],
    ["has another size", { size: 2 }],
    ["was written since", { mtime: new Date(2000) }],
    ["says not when it was written", { mtime: null }],
    ["was replaced", { ino: 8 }],
  ] as const
) {
  Deno.test(`KnownBlobs believes in no file that ${what}`, () => {
    const known = new KnownBlobs();
    known.learn("a", statusOf(1), VERIFIED);
    assert(known.isUnchanged("a", statusOf(1)));
    assert(!known.isUnchanged("a", { ...statusOf(1), ...change }));
  });
}

Deno.test("KnownBlobs believes in no file that was only found, nor in one that it does not know", () => {
  const known = new KnownBlobs();
  known.learn("a", statusOf(1), { isVerified: false });
  assert(!known.isUnchanged("a", statusOf(1)));
  assert(!known.isUnchanged("b", statusOf(1)));
});

Deno.test("KnownBlobs calls a blob fresh for ten seconds, or until it is settled", () => {
  let nowMs = 1000;
  const known = new KnownBlobs(() => nowMs);
  assert(!known.isFresh("a"));
  known.markFresh("a");
  known.markFresh("b");
  nowMs += 9999;
  known.settle("b");
  assert.deepEqual([known.isFresh("a"), known.isFresh("b")], [true, false]);
  nowMs++;
  assert(!known.isFresh("a"));
});
