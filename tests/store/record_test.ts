import assert from "node:assert/strict";
import {
  formatIndex,
  type KeptFirmware,
  parseIndex,
  type StoredFirmware,
  withKept,
} from "../../src/store/record.ts";
import { recordOf } from "../helpers/disk.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";

const REF_NAME = "org.opencontainers.image.ref.name";

/** A firmware that was saved at a second. */
function kept(
  selection: string,
  second: number,
  firmware: Partial<StoredFirmware> = {},
): KeptFirmware {
  const record = recordOf(firmwareBytes(10, second), firmware.version);
  return {
    selection,
    savedAt: new Date(second * 1000),
    firmware: { ...record.firmware, ...firmware },
    top: { mediaType: "a/b", size: 7 },
    blobs: [record.firmware.digest, record.layer.digest],
    layer: second % 2 === 0 ? "1".repeat(64) : undefined,
    policy: second % 2 === 0 ? "policy" : undefined,
  };
}

/** The entries of an index: digest and tag of each. */
function entriesOf(all: readonly KeptFirmware[]): readonly (string | undefined)[][] {
  const { manifests } = JSON.parse(formatIndex(all));
  return manifests.map(({ digest, annotations }: {
    digest: string;
    annotations: Record<string, string>;
  }) => [digest, annotations[REF_NAME]]);
}

Deno.test("An index is read as it was written, in the order in which it was saved", () => {
  const one = kept("", 1, { version: "1.0.0" });
  const two = kept("constraint=%5E2", 2, { version: "2.0.0" });
  const three = { ...one, selection: "version=1.0.0", savedAt: new Date(3000) };
  assert.deepEqual(parseIndex(formatIndex([one, two, three])), [one, two, three]);
});

Deno.test("An index has an entry for each tag and digest, the one saved last at the end", () => {
  const one = kept("", 1, { version: "1.0.0" });
  const two = kept("constraint=%5E2", 2, { version: "2.0.0" });
  const three = { ...one, selection: "version=1.0.0", savedAt: new Date(3000) };
  assert.deepEqual(entriesOf([one, two, three]), [
    [two.firmware.digest, "v2.0.0"],
    [one.firmware.digest, "v1.0.0"],
  ]);
});

Deno.test("A tag that has moved is a name of what was saved last only", () => {
  const old = kept("version=1.0.0", 1, { version: "1.0.0" });
  const moved = kept("", 2, { version: "1.0.0" });
  assert.notEqual(old.firmware.digest, moved.firmware.digest);
  assert.deepEqual(entriesOf([old, moved]), [
    [old.firmware.digest, undefined],
    [moved.firmware.digest, "v1.0.0"],
  ]);
  assert.deepEqual(parseIndex(formatIndex([old, moved])), [old, moved]);
});

Deno.test("An entry that is not whole spoils no other", () => {
  const [one, two] = [kept("", 1, { version: "1.0.0" }), kept("file=a", 2, { version: "2.0.0" })];
  const index = JSON.parse(formatIndex([one, two]));
  index.manifests.push({ ...index.manifests[0], annotations: { other: "x" } });
  const cut = index.manifests[1].annotations;
  cut["dev.otaflux.firmware"] = cut["dev.otaflux.firmware"].replace(
    /"md5":"[0-9a-f]+"/,
    '"md5":""',
  );
  assert.deepEqual(parseIndex(JSON.stringify(index)), [one]);
});

Deno.test("withKept() replaces a selection, and lets go what was saved the longest ago", () => {
  let all: readonly KeptFirmware[] = [kept("", 0)];
  for (let at = 1; at <= 20; at++) all = withKept(all, kept(`file=${at}`, at), "");
  assert.equal(all.length, 16);
  assert.deepEqual(all.slice(0, 2).map(({ selection }) => selection), ["", "file=6"]);
  all = withKept(all, kept("file=6", 21), "");
  assert.equal(all.length, 16);
  assert.equal(all.at(-1)?.savedAt.getTime(), 21_000);
  all = withKept(all, kept("file=x", 22), "file=7");
  assert.deepEqual(all.slice(0, 2).map(({ selection }) => selection), ["file=7", "file=8"]);
});
