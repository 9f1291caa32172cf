import assert from "node:assert/strict";
import { isServiceError } from "../../src/errors.ts";
import { VersionFiles } from "../../src/store/versions.ts";
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
      (error) => isServiceError(error, "storage-failed"),
    );
  }));
