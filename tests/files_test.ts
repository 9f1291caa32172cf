import assert from "node:assert/strict";
import { isServiceError, ServiceError } from "../src/errors.ts";
import {
  describeReadError,
  fileNameOf,
  isFolder,
  isMissing,
  makeFolder,
  removeIfThere,
  storing,
  writeWhole,
} from "../src/files.ts";
import { filesOf, withFolder } from "./helpers/disk.ts";
import { cannotMount, mountSmallDisk } from "./helpers/small_disk.ts";
import { firmwareBytes } from "./helpers/firmware_bytes.ts";

Deno.test("describeReadError() says what to do about a file that may not be read", () => {
  const forbidden = new Deno.errors.PermissionDenied("Permission denied (os error 13)");
  assert.equal(
    describeReadError(forbidden),
    "Permission denied (os error 13), want it readable by the user that runs OtaFlux",
  );
  assert.equal(describeReadError(new Deno.errors.NotFound("No such file")), "No such file");
});

Deno.test("writeWhole() replaces a file, and leaves no draft", () =>
  withFolder(async (folder) => {
    for (const content of ["old", "new", new TextEncoder().encode("newer")]) {
      await writeWhole(`${folder}/file`, content, `${folder}/draft`);
    }
    assert.equal(await Deno.readTextFile(`${folder}/file`), "newer");
    assert.deepEqual(await filesOf(folder), ["file"]);
  }));

for (const what of ["a link", "a pipe", "a folder"]) {
  Deno.test(`writeWhole() takes away ${what} that stands where it drafts`, () =>
    withFolder(async (folder) => {
      const [draft, foreign] = [`${folder}/draft`, `${folder}/foreign`];
      await Deno.writeTextFile(foreign, "of somebody else");
      if (what === "a link") await Deno.symlink(foreign, draft);
      else if (what === "a folder") await Deno.mkdir(`${draft}/full`, { recursive: true });
      else await new Deno.Command("mkfifo", { args: [draft] }).output();
      await writeWhole(`${folder}/file`, "new", draft);
      assert.equal(await Deno.readTextFile(`${folder}/file`), "new");
      assert.equal(await Deno.readTextFile(foreign), "of somebody else");
      assert.deepEqual(await filesOf(folder), ["file", "foreign"]);
    }));
}

Deno.test("makeFolder() makes a folder, leaves one that is there, and takes no link for one", () =>
  withFolder(async (folder) => {
    for (let times = 0; times < 2; times++) await makeFolder(`${folder}/a/b`);
    await Deno.symlink(`${folder}/a`, `${folder}/link`);
    await assert.rejects(makeFolder(`${folder}/link`), {
      message: `"${folder}/link" is a link, want a folder of its own: remove the link`,
    });
    assert.deepEqual(
      await Promise.all(["a", "link", "none"].map((name) => isFolder(`${folder}/${name}`))),
      [true, false, false],
    );
  }));

Deno.test("writeWhole() leaves the old file and no draft where the name cannot be given", () =>
  withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/file/full`, { recursive: true });
    await assert.rejects(writeWhole(`${folder}/file`, "new", `${folder}/draft`), {
      code: "storage-failed",
    });
    assert.deepEqual((await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name), [
      "file",
    ]);
  }));

Deno.test(
  "writeWhole() leaves the old file and no draft on a full disk",
  { ignore: cannotMount },
  () =>
    withFolder(async (folder) => {
      await using _disk = await mountSmallDisk(folder);
      await writeWhole(`${folder}/file`, "old", `${folder}/draft`);
      await assert.rejects(
        writeWhole(`${folder}/file`, firmwareBytes(2_000_000), `${folder}/draft`),
        { code: "storage-failed" },
      );
      assert.equal(await Deno.readTextFile(`${folder}/file`), "old");
      assert.deepEqual(await filesOf(folder), ["file"]);
    }),
);

Deno.test("removeIfThere() removes files and folders, and what is not there", () =>
  withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/a/b`, { recursive: true });
    await Deno.writeTextFile(`${folder}/c`, "");
    for (const name of ["a", "c", "d", "c/e"]) await removeIfThere(`${folder}/${name}`);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(folder)), []);
  }));

Deno.test("storing() gives what goes wrong its code and its words, and keeps the cause", async () => {
  const cause = new Error("No space left on device (os error 28)");
  await assert.rejects(
    storing(() => Promise.reject(cause)),
    (error) => isServiceError(error, "storage-failed") && error.cause === cause,
  );
  const failure = { code: "storage-failed", message: "Notes cannot be kept" };
  await assert.rejects(storing(() => Promise.reject(cause), "Notes cannot be kept"), failure);
  const own = new ServiceError("artifact-invalid", "Other");
  await assert.rejects(storing(() => Promise.reject(own)), (error) => error === own);
  assert.equal(await storing(() => Promise.resolve(1)), 1);
});

Deno.test("isMissing() knows a file that is not there, and one below a file", () => {
  assert(isMissing(new Deno.errors.NotFound()));
  assert(isMissing(new Deno.errors.NotADirectory()));
  assert(!isMissing(new Deno.errors.PermissionDenied()));
  assert(!isMissing(undefined));
});

Deno.test("fileNameOf() names no two devices alike, and none with a slash", () => {
  const names = ["pump", "factory/pump", "factory.pump", `a${"/b".repeat(120)}`].map(fileNameOf);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^[0-9a-f]{64}$/);
});
