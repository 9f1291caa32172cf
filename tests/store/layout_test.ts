import assert from "node:assert/strict";
import { DeviceLayout } from "../../src/store/layout.ts";
import type { KeptFirmware } from "../../src/store/record.ts";
import { filesOf, recordOf, sha256Of, withFolder } from "../helpers/disk.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { CapturedLogs } from "../helpers/logs.ts";

const BYTES = firmwareBytes(100);
const SHA256 = sha256Of(BYTES);
const { firmware, documents: [manifest] } = recordOf(BYTES);
const KEPT: KeptFirmware = {
  selection: "",
  savedAt: new Date("2026-01-02T03:04:05Z"),
  firmware,
  top: { mediaType: "a/b", size: manifest?.bytes.length ?? 0 },
  blobs: [firmware.digest, `sha256:${SHA256}`],
};

/** A folder with a content beside the layout of a pump. */
function withLayout(
  name: string,
  test: (layout: DeviceLayout, folder: string) => Promise<void>,
): void {
  Deno.test(name, () =>
    withFolder(async (folder) => {
      await Deno.mkdir(`${folder}/drafts`);
      await Deno.writeFile(`${folder}/content`, BYTES);
      await test(
        new DeviceLayout({ folder: `${folder}/pump`, drafts: `${folder}/drafts` }),
        folder,
      );
    }));
}

/** Puts all in its place that the index names. */
async function fill(layout: DeviceLayout, folder: string): Promise<void> {
  await layout.write(firmware.digest, manifest?.bytes ?? new Uint8Array());
  await layout.link(`sha256:${SHA256}`, `${folder}/content`);
  await layout.rewrite([KEPT]);
}

withLayout("DeviceLayout reads what it wrote, and leaves no drafts", async (layout, folder) => {
  assert.deepEqual(await layout.read(), []);
  await fill(layout, folder);
  const [kept] = await layout.read();
  assert.deepEqual(kept?.firmware, firmware);
  assert.deepEqual(await filesOf(folder), [
    "content",
    ...KEPT.blobs.map((digest) => `pump/blobs/${digest.replace(":", "/")}`).toSorted(),
    "pump/index.json",
    "pump/oci-layout",
  ]);
});

withLayout("DeviceLayout.tidy() clears what the index does not name", async (layout, folder) => {
  await layout.write(firmware.digest, new Uint8Array());
  assert.equal(await layout.tidy(), false);
  assert.deepEqual(await filesOf(`${folder}/pump`), [], "there is no index");
  await fill(layout, folder);
  const before = await filesOf(folder);
  await layout.write(`sha256:${"0".repeat(64)}`, new Uint8Array());
  assert.equal(await layout.tidy(), true);
  assert.deepEqual(await filesOf(folder), before);
});

withLayout("DeviceLayout.tidy() clears nothing by a damaged index", async (layout, folder) => {
  await fill(layout, folder);
  const before = await filesOf(folder);
  for (const damaged of ["{", "{}", '{"manifests":[]}']) {
    await Deno.writeTextFile(`${folder}/pump/index.json`, damaged);
    assert.equal(await layout.tidy(), true);
    assert.deepEqual(await filesOf(folder), before);
  }
});

withLayout(
  "DeviceLayout.link() makes a second name for the same bytes, again where the file was replaced",
  async (layout, folder) => {
    const inodes = async (): Promise<readonly unknown[]> => {
      await layout.link(`sha256:${SHA256}`, `${folder}/content`);
      const paths = [`${folder}/content`, layout.pathOf(`sha256:${SHA256}`)];
      return await Promise.all(paths.map(async (path) => (await Deno.stat(path)).ino));
    };
    const [content, link] = await inodes();
    assert.equal(link, content);
    assert.deepEqual(await inodes(), [content, content]);
    await Deno.rename(`${folder}/content`, `${folder}/before`);
    await Deno.writeFile(`${folder}/content`, BYTES);
    const [other, relinked] = await inodes();
    assert.notEqual(other, content);
    assert.equal(relinked, other);
  },
);

withLayout(
  "DeviceLayout.link() fails where there is no such content, and expect() where there is no blob",
  async (layout, folder) => {
    const missing = Deno.errors.NotFound;
    await assert.rejects(layout.link(`sha256:${SHA256}`, `${folder}/nothing`), missing);
    await assert.rejects(layout.expect(`sha256:${SHA256}`), missing);
    await layout.link(`sha256:${SHA256}`, `${folder}/content`);
    await layout.expect(`sha256:${SHA256}`);
  },
);

withLayout(
  "DeviceLayout.rewrite() clears blobs that the index does not name, and nothing of others",
  async (layout, folder) => {
    await fill(layout, folder);
    const unnamed = `sha256:${"0".repeat(64)}` as const;
    await layout.write(unnamed, BYTES);
    // A device may be called like a blob of another's.
    const device = "f".repeat(64);
    await Deno.mkdir(`${folder}/pump/blobs/sha256/${device}`);
    await Deno.writeFile(`${folder}/pump/blobs/sha256/note`, BYTES);
    assert.equal((await layout.linked()).length, 5);
    await layout.rewrite([KEPT]);
    assert.deepEqual(
      (await layout.linked()).toSorted(),
      [...KEPT.blobs.map((digest) => digest.slice("sha256:".length)), "note", device].toSorted(),
    );
  },
);

withLayout(
  "DeviceLayout.rewrite() of nothing leaves no layout, and the content where it is",
  async (layout, folder) => {
    await fill(layout, folder);
    await layout.rewrite([]);
    assert.deepEqual(await filesOf(folder), ["content"]);
    assert.deepEqual(await layout.read(), []);
  },
);

withLayout(
  "DeviceLayout.read() takes an index that cannot be read for none, and says so",
  async (layout, folder) => {
    using logs = new CapturedLogs();
    await Deno.mkdir(`${folder}/pump/index.json`, { recursive: true });
    assert.deepEqual(await layout.read(), []);
    assert.deepEqual(logs.messages("warn"), ["Cannot read what is known of a device"]);
  },
);

withLayout(
  "DeviceLayout.remove() removes a blob, whether it is there or not",
  async (layout, folder) => {
    await fill(layout, folder);
    for (const _ of [1, 2]) await layout.remove(`sha256:${SHA256}`);
    assert.deepEqual(await layout.linked(), [firmware.digest.slice("sha256:".length)]);
  },
);
