import assert from "node:assert/strict";
import { AcceptedVersions } from "../../src/cosign/accepted.ts";
import type { Digest } from "../../src/digest.ts";
import { filesOf, withFolder } from "../helpers/disk.ts";

const digest = (digit: number): Digest => `sha256:${String(digit % 10).repeat(64)}`;

Deno.test("AcceptedVersions keep to the first firmware of each version of each device", async () => {
  const accepted = new AcceptedVersions(undefined);
  assert.equal(await accepted.accept("esp32", "1.0.0", digest(1)), digest(1));
  assert.equal(await accepted.accept("esp32", "1.0.0", digest(2)), digest(1));
  assert.equal(await accepted.accept("esp32", "1.0.1", digest(2)), digest(2));
  assert.equal(await accepted.accept("other", "1.0.0", digest(2)), digest(2));
});

Deno.test("AcceptedVersions outlast a restart where they have a folder", () =>
  withFolder(async (folder) => {
    const device = `${"long/".repeat(50)}name`;
    await new AcceptedVersions(`${folder}/accepted`).accept(device, "1.0.0", digest(1));
    const next = new AcceptedVersions(`${folder}/accepted`);
    assert.equal(await next.accept(device, "1.0.0", digest(2)), digest(1));
    assert.equal(
      await new AcceptedVersions(undefined).accept(device, "1.0.0", digest(2)),
      digest(2),
    );
  }));

Deno.test("AcceptedVersions lose nothing where several are accepted at once", () =>
  withFolder(async (folder) => {
    const accepted = new AcceptedVersions(folder);
    const versions = Array.from({ length: 20 }, (_, at) => `1.0.${at}`);
    await Promise.all(versions.map((version, at) => accepted.accept("esp32", version, digest(at))));
    const both = await Promise.all(
      [1, 2].map((at) => accepted.accept("esp32", "2.0.0", digest(at))),
    );
    assert.deepEqual(both, [digest(1), digest(1)]);
    const next = new AcceptedVersions(folder);
    for (const [at, version] of versions.entries()) {
      assert.equal(await next.accept("esp32", version, digest(at + 1)), digest(at));
    }
    assert.equal((await filesOf(folder)).length, 1, "no draft is left");
  }));

Deno.test("AcceptedVersions accept nothing where their file was spoilt", () =>
  withFolder(async (folder) => {
    await new AcceptedVersions(folder).accept("esp32", "1.0.0", digest(1));
    const [file] = await filesOf(folder);
    await Deno.writeTextFile(`${folder}/${file}`, `{"device":"esp32"}`);
    const accepted = new AcceptedVersions(folder);
    await assert.rejects(accepted.accept("esp32", "1.0.0", digest(2)), { code: "storage-failed" });
    assert.equal(await accepted.accept("other", "1.0.0", digest(2)), digest(2));
  }));

Deno.test("AcceptedVersions accept nothing that they cannot write down", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    const accepted = new AcceptedVersions(`${folder}/file`);
    const failure = { code: "storage-failed" };
    await assert.rejects(accepted.accept("esp32", "1.0.0", digest(1)), failure);
    await assert.rejects(accepted.accept("esp32", "1.0.0", digest(1)), failure);
  }));

Deno.test("AcceptedVersions keep the latest 1000 versions of a device", async () => {
  const accepted = new AcceptedVersions(undefined);
  for (let at = 0; at <= 1000; at++) await accepted.accept("esp32", `1.0.${at}`, digest(1));
  assert.equal(await accepted.accept("esp32", "1.0.1", digest(2)), digest(1));
  assert.equal(await accepted.accept("esp32", "1.0.0", digest(2)), digest(2));
});
