import assert from "node:assert/strict";
import { Layouts } from "../../src/store/layouts.ts";
import { withFolder } from "../helpers/disk.ts";

Deno.test("Layouts.devices() finds devices below each other, and nothing of ours", () =>
  withFolder(async (folder) => {
    for (const path of ["a/b/c", "d", ".otaflux/blobs"]) {
      await Deno.mkdir(`${folder}/${path}`, { recursive: true });
    }
    await Deno.writeTextFile(`${folder}/a/index.json`, "");
    const devices = await Array.fromAsync(new Layouts(folder).devices());
    assert.deepEqual(devices.toSorted(), ["a", "a/b", "a/b/c", "d"]);
  }));

Deno.test("Layouts.of() is the layout in a device's folder, whose drafts are beside all of them", () =>
  withFolder(async (folder) => {
    const layout = new Layouts(folder).of("a/b");
    const digest = `sha256:${"0".repeat(64)}` as const;
    assert.equal(layout.pathOf(digest), `${folder}/a/b/blobs/sha256/${"0".repeat(64)}`);
    await assert.rejects(layout.write(digest, new Uint8Array()), { code: "storage-failed" });
    await Deno.mkdir(`${folder}/.otaflux/drafts`, { recursive: true });
    await layout.write(digest, new Uint8Array());
    assert.deepEqual(await layout.linked(), ["0".repeat(64)]);
  }));
