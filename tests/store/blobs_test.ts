import assert from "node:assert/strict";
import { Blobs } from "../../src/store/blobs.ts";
import { filesOf, put, sha256Of, withFolder } from "../helpers/disk.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { storedBytes } from "../helpers/stored.ts";

const one = firmwareBytes(1000, 1);
const two = firmwareBytes(1000, 2);
const three = firmwareBytes(1000, 3);

/** Blobs in a folder, and which of them it was told to release. */
async function withBlobs(
  maxBytes: number,
  test: (blobs: Blobs, released: readonly string[], folder: string) => Promise<void>,
  onEviction?: () => void,
): Promise<void> {
  await withFolder(async (folder) => {
    const released: string[] = [];
    const blobs = await Blobs.open({
      directory: `${folder}/blobs`,
      drafts: `${folder}/drafts`,
      maxBytes,
      onEviction,
      release: (sha256) => {
        released.push(sha256);
        return Promise.resolve();
      },
    });
    await test(blobs, released, folder);
  });
}

Deno.test("Blobs leave nothing of a draft that is discarded", () =>
  withBlobs(10_000, async (blobs, _released, folder) => {
    const draft = await blobs.draft();
    await draft.write(one);
    await draft.discard();
    await draft.discard();
    assert.deepEqual(await filesOf(folder), []);
    assert.equal(blobs.bytes, 0);
  }));

Deno.test("Blobs keep the first of two equal drafts, since others may have linked it", () =>
  withBlobs(10_000, async (blobs, _released, folder) => {
    const sha256 = await put(blobs, one);
    const { ino } = await Deno.stat(blobs.path(sha256));
    await put(blobs, one);
    assert.equal((await Deno.stat(blobs.path(sha256))).ino, ino);
    assert.deepEqual(await filesOf(folder), [`blobs/${sha256}`]);
    assert.equal(blobs.bytes, 1000);
  }));

Deno.test("Blobs replace a file that was changed by an equal draft", () =>
  withBlobs(10_000, async (blobs) => {
    const sha256 = await put(blobs, one);
    await Deno.writeFile(blobs.path(sha256), firmwareBytes(999, 9));
    await put(blobs, one);
    assert.deepEqual(await storedBytes(blobs, sha256), one);
  }));

Deno.test("Blobs give nobody what was read of a file while somebody altered it", () =>
  withBlobs(10_000, async (blobs) => {
    const sha256 = await put(blobs, one);
    const reader = await blobs.open(sha256);
    assert(reader);
    // In place, so that the open file is the altered one.
    await Deno.writeFile(blobs.path(sha256), two);
    await Deno.utime(blobs.path(sha256), 1, 1);
    assert.deepEqual(await reader.read(10_000), two);
    reader.close();
    assert.equal(await blobs.open(sha256), undefined);
    await put(blobs, one);
    assert.deepEqual(await storedBytes(blobs, sha256), one);
  }));

Deno.test("Blobs count as used what is given from memory", () =>
  withBlobs(2000, async (blobs, released) => {
    const [first, second] = [await put(blobs, one), await put(blobs, two)];
    assert.deepEqual(await storedBytes(blobs, first), one);
    assert.deepEqual(await storedBytes(blobs, second), two);
    (await blobs.open(first))?.close();
    await blobs.settle([first, second]);
    await blobs.settle([await put(blobs, three)]);
    assert.deepEqual(released, [second]);
  }));

Deno.test("Blobs call for the release of what has to go, the least recently used first", () =>
  withBlobs(2500, async (blobs, released) => {
    for (const bytes of [one, two]) await blobs.settle([await put(blobs, bytes)]);
    await storedBytes(blobs, sha256Of(one));
    await put(blobs, three);
    assert.deepEqual(released, [sha256Of(two)]);
    assert(!blobs.has(sha256Of(two)));
    blobs.touch(sha256Of(two));
    assert(!blobs.has(sha256Of(two)), "what is gone does not come back by being used");
  }));

Deno.test("Blobs verify once for a crowd, and each sees the change", () =>
  withBlobs(10_000, async (blobs, released) => {
    const sha256 = await put(blobs, one);
    await Deno.writeFile(blobs.path(sha256), two);
    await Deno.utime(blobs.path(sha256), new Date(0), new Date(1));
    const bodies = await Promise.all(Array.from({ length: 20 }, () => blobs.open(sha256)));
    assert.deepEqual(new Set(bodies), new Set([undefined]));
    assert.deepEqual(released, [sha256]);
  }));

Deno.test("Blobs open a file that was only touched", () =>
  withBlobs(10_000, async (blobs) => {
    const sha256 = await put(blobs, one);
    await Deno.utime(blobs.path(sha256), new Date(0), new Date(1));
    assert.deepEqual(await storedBytes(blobs, sha256), one);
  }));

Deno.test("Blobs forget a file that somebody has removed", () =>
  withBlobs(10_000, async (blobs) => {
    const sha256 = await put(blobs, one);
    await Deno.remove(blobs.path(sha256));
    assert.equal(await blobs.open(sha256), undefined);
    assert.equal(blobs.bytes, 0);
  }));

Deno.test("Blobs tell of what has to go for room, and not of what was changed", async () => {
  let evictions = 0;
  await withBlobs(2500, async (blobs) => {
    await put(blobs, one);
    await Deno.writeFile(blobs.path(sha256Of(one)), firmwareBytes(999, 9));
    assert.equal(await blobs.open(sha256Of(one)), undefined);
    assert.equal(evictions, 0);
    for (const bytes of [one, two, three]) await blobs.settle([await put(blobs, bytes)]);
    assert.equal(evictions, 1);
  }, () => evictions++);
});
