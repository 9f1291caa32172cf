import assert from "node:assert/strict";
import type { Notification } from "../../src/notifier/outbox.ts";
import { Outbox } from "../../src/notifier/outbox.ts";
import { filesOf, recordOf, withFolder } from "../helpers/disk.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { CapturedLogs } from "../helpers/logs.ts";

function notificationOf(device: string, version: string): Notification {
  const { firmware } = recordOf(firmwareBytes(100, 1), version);
  return { device, firmware, always: false, isConfirmed: true, replaces: { version: "0.9.0" } };
}

function versionsIn(outbox: Outbox): Record<string, string | undefined> {
  return Object.fromEntries(
    outbox.devices().toSorted().map((device) => [device, outbox.get(device)?.firmware.version]),
  );
}

Deno.test("Outbox keeps the newest of each device for the next process", async () => {
  await withFolder(async (folder) => {
    const directory = `${folder}/a/b`;
    const outbox = await Outbox.open(directory);
    const long = `${"a".repeat(127)}/${"b".repeat(127)}`;
    await Promise.all([
      outbox.put(notificationOf("garden/pump", "1.0.0")),
      outbox.put(notificationOf("garden/pump", "1.1.0")),
      outbox.put({ ...notificationOf(long, "2.0.0"), always: true }),
    ]);
    const next = await Outbox.open(directory);
    assert.deepEqual(versionsIn(next), { "garden/pump": "1.1.0", [long]: "2.0.0" });
    assert.equal(next.get(long)?.always, true);
    // What the broker had then says nothing about what it has now.
    assert.equal(next.get("garden/pump")?.replaces, undefined);
    assert.equal(next.get("garden/pump")?.isConfirmed, false);
    assert.equal(next.size, 2);
  });
});

Deno.test("Outbox forgets what is done, unless something newer waits", async () => {
  await withFolder(async (folder) => {
    const outbox = await Outbox.open(folder);
    const [older, newer] = [notificationOf("pump", "1.0.0"), notificationOf("pump", "1.1.0")];
    await outbox.put(older);
    const kept = outbox.put(newer);
    await outbox.remove(older);
    await kept;
    assert.deepEqual(versionsIn(await Outbox.open(folder)), { pump: "1.1.0" });
    await outbox.remove(newer);
    assert.equal(outbox.size, 0);
    assert.deepEqual(await filesOf(folder), []);
  });
});

Deno.test("Outbox leaves out what cannot be read, says so, and clears drafts", async () => {
  await withFolder(async (folder) => {
    const outbox = await Outbox.open(folder);
    await outbox.put(notificationOf("pump", "1.0.0"));
    const broken = {
      "torn.json": `{"device":"pu`,
      "other.json": `{"device":"lamp","always":false,"firmware":{}}`,
      "topic.json": JSON.stringify({ ...notificationOf("pump", "1.0.0"), device: "a/+/#" }),
    };
    for (const [name, text] of Object.entries({ ...broken, "x.draft": "" })) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    using logs = new CapturedLogs();
    assert.deepEqual(versionsIn(await Outbox.open(folder)), { pump: "1.0.0" });
    const warnings = logs.records.filter(({ level }) => level === "warn");
    assert.deepEqual(
      warnings.map(({ path }) => String(path).slice(folder.length + 1)).toSorted(),
      Object.keys(broken).toSorted(),
    );
    assert.ok(!(await filesOf(folder)).includes("x.draft"));
  });
});

Deno.test("Outbox.open() says what it is that a folder cannot hold", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    await assert.rejects(Outbox.open(`${folder}/file`), {
      code: "storage-failed",
      message: "Notifications cannot be kept",
    });
  });
});

Deno.test("Outbox says once that the disk refuses, and again only after it took something", async () => {
  await withFolder(async (folder) => {
    const directory = `${folder}/notifications`;
    const outbox = await Outbox.open(directory);
    using logs = new CapturedLogs();
    const warnings = (): readonly string[] => logs.messages("warn");
    const refuse = (): Promise<void> => Deno.remove(directory, { recursive: true });
    await refuse();
    for (const device of ["pump", "lamp"]) await outbox.put(notificationOf(device, "1.0.0"));
    assert.equal(warnings().length, 1);
    await Deno.mkdir(directory);
    await outbox.put(notificationOf("door", "1.0.0"));
    await refuse();
    for (const device of ["pump", "lamp"]) await outbox.put(notificationOf(device, "1.1.0"));
    assert.equal(warnings().length, 2);
  });
});

Deno.test("Outbox goes on in memory where the disk refuses", async () => {
  await withFolder(async (folder) => {
    const directory = `${folder}/notifications`;
    const outbox = await Outbox.open(directory);
    await Deno.remove(directory);
    using logs = new CapturedLogs();
    const notification = notificationOf("pump", "1.0.0");
    await outbox.put(notification);
    assert.deepEqual(logs.messages("warn"), ["Notification cannot be kept on disk"]);
    assert.equal(outbox.get("pump"), notification);
  });
});
