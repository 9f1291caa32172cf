import assert from "node:assert/strict";
import { VersionFiles } from "../../src/store/versions.ts";
import type { Query } from "../../src/selection.ts";
import { withFolder } from "../helpers/disk.ts";

Deno.test("VersionFiles notes over restarts, each device for itself", () =>
  withFolder(async (folder) => {
    const devices = ["a", "a/b", `${"x".repeat(127)}/${"y".repeat(127)}`];
    const notes = new VersionFiles(`${folder}/highest`);
    assert.equal(await notes.get("a"), undefined);
    for (const [index, device] of devices.entries()) await notes.set(device, `${index}.0.0`);
    const later = new VersionFiles(`${folder}/highest`);
    for (const [index, device] of devices.entries()) {
      assert.equal(await later.get(device), `${index}.0.0`);
      assert.equal(await notes.get(device), `${index}.0.0`);
    }
  }));

Deno.test("VersionFiles takes a note that it cannot read for an error, not for none", () =>
  withFolder(async (folder) => {
    await new VersionFiles(folder).set("a", "1.0.0");
    for await (const { name } of Deno.readDir(folder)) {
      await Deno.writeTextFile(`${folder}/${name}`, "{");
    }
    await assert.rejects(
      new VersionFiles(folder).get("a"),
      { code: "storage-failed", message: "Noted version cannot be read" },
    );
  }));

Deno.test("VersionFiles notes each selection for itself, so many of them, over restarts", () =>
  withFolder(async (folder) => {
    const notes = new VersionFiles(folder);
    await notes.set("a", "9.0.0");
    const query = (at: number): Query => ({ device: "a", selection: { file: `${at}` } });
    await Promise.all(Array.from({ length: 70 }, (_, at) => notes.set(query(at), `${at}.0.0`)));
    await notes.set(query(6), "66.0.0");
    for (const each of [notes, new VersionFiles(folder)]) {
      assert.equal(await each.get("a"), "9.0.0");
      assert.equal(await each.get(query(5)), undefined);
      assert.equal(await each.get(query(6)), "66.0.0");
      assert.equal(await each.get(query(69)), "69.0.0");
    }
  }));
