import assert from "node:assert/strict";
import { join } from "node:path";
import { PasswordFile, passwordReader, secretIn } from "../src/password_file.ts";
import { withFolder } from "./helpers/disk.ts";
import { CapturedLogs } from "./helpers/logs.ts";

const MESSAGES = {
  changed: "Password was changed",
  unusable: "Password cannot be read, the one before stays in use",
} as const;

Deno.test("PasswordFile.read() gives what the file holds now", async () => {
  await withFolder(async (folder) => {
    using logs = new CapturedLogs();
    const path = join(folder, "password");
    const file = new PasswordFile(path, "one");
    for (
      const [text, password] of [["one\n", "one"], ["two", "two"], [
        " three \r\n",
        " three ",
      ]] as const
    ) {
      await Deno.writeTextFile(path, text);
      assert.equal(await file.read(), password);
      assert.equal(await file.read(), password);
    }
    assert.deepEqual(logs.messages("info"), [MESSAGES.changed, MESSAGES.changed]);
    assert.doesNotMatch(JSON.stringify(logs.records), /one|two|three/);
  });
});

Deno.test("PasswordFile.read() gives the one before while the file cannot be used, and says so once", async () => {
  await withFolder(async (folder) => {
    using logs = new CapturedLogs();
    const path = join(folder, "password");
    const file = new PasswordFile(path, "first");
    // As it is while somebody writes it anew.
    for (const make of [() => Deno.writeTextFile(path, ""), () => Deno.remove(path)]) {
      await make();
      assert.equal(await file.read(), "first");
    }
    assert.deepEqual(logs.messages("warn"), [MESSAGES.unusable]);
    assert.deepEqual(logs.records.map(({ reason }) => reason), ["it is empty"]);
    await Deno.writeTextFile(path, "second");
    assert.equal(await file.read(), "second");
    await Deno.remove(path);
    assert.equal(await file.read(), "second");
    assert.deepEqual(logs.messages("warn"), [MESSAGES.unusable, MESSAGES.unusable]);
    assert.match(String(logs.records.at(-1)?.reason), /No such file/);
  });
});

Deno.test("PasswordFile.read() does not wait for who would write into a pipe again", async () => {
  await withFolder(async (folder) => {
    using logs = new CapturedLogs();
    const path = join(folder, "password");
    const { success } = await new Deno.Command("mkfifo", { args: [path] }).output();
    assert.ok(success);
    // It waits until somebody reads.
    const writer = new Deno.Command("sh", { args: ["-c", 'printf second > "$0"', path] }).spawn();
    assert.equal(await new PasswordFile(path, "first").read(), "first");
    assert.equal(await Deno.readTextFile(path), "second", "nobody has read it before");
    await writer.status;
    assert.deepEqual(logs.records.map(({ reason }) => reason), ["it is no file"]);
  });
});

Deno.test("secretIn() takes away one line break at the end, and nothing else", () => {
  for (const secret of ["a", " a ", "a\nb", ""]) {
    for (const end of ["", "\n", "\r\n"]) assert.equal(secretIn(secret + end), secret);
  }
  assert.equal(secretIn("a\n\n"), "a\n");
});

Deno.test("passwordReader() reads where there is a file, and only there", async () => {
  const credentials = { password: "first" };
  assert.equal(passwordReader(undefined, credentials), undefined);
  await withFolder(async (folder) => {
    const path = join(folder, "password");
    assert.equal(passwordReader(path, undefined), undefined);
    const read = passwordReader(path, credentials);
    assert.equal(await read?.(), "first");
    await Deno.writeTextFile(path, "second");
    assert.equal(await read?.(), "second");
  });
});
