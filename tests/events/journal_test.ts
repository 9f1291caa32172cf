import assert from "node:assert/strict";
import fc from "fast-check";
import { EventJournal, PENDING_LIMIT } from "../../src/events/journal.ts";
import { filesOf, withFolder } from "../helpers/disk.ts";
import { cannotMount, mountSmallDisk } from "../helpers/small_disk.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { CapturedLogs } from "../helpers/logs.ts";

const FOLDER = ".otaflux/events";
const HOURS = 60 * 60 * 1000;

function open(directory?: string, now?: () => number): Promise<EventJournal> {
  return EventJournal.open({
    directory: directory && `${directory}/${FOLDER}`,
    ...(now && { now }),
  });
}

async function finish(journal: EventJournal, device: string): Promise<void> {
  await journal.finish(device, journal.revisionOf(device));
}

Deno.test("EventJournal has an event on disk once it is accepted, and no more once it is finished", () =>
  withFolder(async (folder) => {
    const journal = await open(folder);
    assert.equal(await journal.accept({ id: "1", devices: ["garden/pump"] }), "accepted");
    assert.deepEqual(await filesOf(folder), [`${FOLDER}/pending/garden+pump`]);
    assert.deepEqual(journal.devices, ["garden/pump"]);
    await finish(journal, "garden/pump");
    assert.deepEqual(await filesOf(folder), [`${FOLDER}/seen.json`]);
    assert.deepEqual(journal.devices, []);
  }));

Deno.test("EventJournal goes on from what another one has left", () =>
  withFolder(async (folder) => {
    const first = await open(folder);
    await first.accept({ id: "1", devices: ["a", "b/c"] });
    await first.accept({ id: undefined, devices: ["d"] });
    await finish(first, "a");
    const second = await open(folder);
    assert.deepEqual(second.devices.toSorted(), ["b/c", "d"]);
    assert.equal(await second.accept({ id: "1", devices: ["a", "b/c"] }), "repeated");
    assert.equal(await second.accept({ id: "2", devices: ["a"] }), "accepted");
  }));

Deno.test("EventJournal knows an event again that waited when the process ended", () =>
  withFolder(async (folder) => {
    await (await open(folder)).accept({ id: "1", devices: ["a"] });
    assert.deepEqual(await filesOf(folder), [`${FOLDER}/pending/a`]);
    assert.equal(await (await open(folder)).accept({ id: "1", devices: ["a"] }), "repeated");
  }));

Deno.test("EventJournal works without a folder as with one, as long as it lives", async () => {
  const journal = await open();
  assert.equal(await journal.accept({ id: "1", devices: ["a"] }), "accepted");
  assert.equal(await journal.accept({ id: "1", devices: ["a"] }), "repeated");
  await finish(journal, "a");
  assert.equal(await journal.accept({ id: "1", devices: ["a"] }), "repeated");
  assert.deepEqual(journal.devices, []);
});

Deno.test("EventJournal takes what has no id each time", async () => {
  const journal = await open();
  for (let time = 0; time < 2; time++) {
    assert.equal(await journal.accept({ id: undefined, devices: ["a"] }), "accepted");
  }
});

Deno.test("EventJournal forgets events after six hours", () =>
  withFolder(async (folder) => {
    let nowMs = 0;
    const journal = await open(folder, () => nowMs);
    await journal.accept({ id: "1", devices: ["a"] });
    await finish(journal, "a");
    nowMs = 6 * HOURS - 1;
    assert.equal(
      await (await open(folder, () => nowMs)).accept({ id: "1", devices: ["a"] }),
      "repeated",
    );
    nowMs = 6 * HOURS;
    assert.equal(
      await (await open(folder, () => nowMs)).accept({ id: "1", devices: ["a"] }),
      "accepted",
    );
  }));

Deno.test("EventJournal keeps an event that came after the check had begun", () =>
  withFolder(async (folder) => {
    const journal = await open(folder);
    await journal.accept({ id: "1", devices: ["a"] });
    const revision = journal.revisionOf("a");
    await journal.accept({ id: "2", devices: ["a"] });
    await journal.finish("a", revision);
    assert.deepEqual(journal.devices, ["a"]);
    const next = await open(folder);
    assert.deepEqual(next.devices, ["a"]);
    assert.equal(await next.accept({ id: "1", devices: ["a"] }), "repeated");
    assert.equal(await next.accept({ id: "2", devices: ["a"] }), "repeated");
  }));

Deno.test("EventJournal keeps an event that comes while another one is finished", () =>
  withFolder(async (folder) => {
    const journal = await open(folder);
    await journal.accept({ id: "1", devices: ["a"] });
    await Promise.all([finish(journal, "a"), journal.accept({ id: "2", devices: ["a"] })]);
    assert.deepEqual([journal.devices, (await open(folder)).devices], [["a"], ["a"]]);
  }));

Deno.test("EventJournal writes events that come at once together, and a repetition waits for the first", () =>
  withFolder(async (folder) => {
    const journal = await open(folder);
    const results = await Promise.all(
      ["1", "2", "2", "3", "1"].map(async (id) => {
        const result = await journal.accept({ id, devices: [`device-${id}`] });
        // Whichever it is: what is acknowledged is on the disk.
        assert((await filesOf(folder)).includes(`${FOLDER}/pending/device-${id}`));
        return result;
      }),
    );
    assert.deepEqual(results, ["accepted", "accepted", "repeated", "accepted", "repeated"]);
  }));

Deno.test("EventJournal refuses more devices than it may hold, but not those that it has", async () => {
  const journal = await open();
  const devices = Array.from({ length: PENDING_LIMIT }, (_, number) => `device-${number}`);
  await journal.accept({ id: "1", devices: devices.slice(1) });
  const full = { code: "events-full" };
  await assert.rejects(journal.accept({ id: "2", devices: ["a", "b"] }), full);
  await journal.accept({ id: "3", devices: devices.slice(0, 1) });
  await assert.rejects(journal.accept({ id: "4", devices: ["a"] }), full);
  await journal.accept({ id: "5", devices: devices.slice(0, 2) });
  await finish(journal, "device-1");
  // What was refused had not come: it is no repetition now.
  assert.equal(await journal.accept({ id: "4", devices: ["a"] }), "accepted");
  assert.equal(journal.devices.length, PENDING_LIMIT);
});

Deno.test("EventJournal does not count events beyond its limit that come at once", async () => {
  const journal = await open();
  const devices = Array.from({ length: PENDING_LIMIT - 1 }, (_, number) => `device-${number}`);
  const results = await Promise.allSettled([
    journal.accept({ id: "1", devices }),
    journal.accept({ id: "2", devices: ["a"] }),
    journal.accept({ id: "3", devices: ["b"] }),
    journal.accept({ id: "4", devices: ["a", "device-1"] }),
  ]);
  assert.deepEqual(results.map(({ status }) => status), [
    ...["fulfilled", "fulfilled", "rejected", "fulfilled"],
  ]);
});

Deno.test("EventJournal acknowledges nothing on a full disk, and takes it once there is room", {
  ignore: cannotMount,
}, () =>
  withFolder(async (folder) => {
    await using _disk = await mountSmallDisk(folder);
    const journal = await open(folder);
    await assert.rejects(Deno.writeFile(`${folder}/filler`, firmwareBytes(2_000_000)));
    await assert.rejects(
      journal.accept({ id: "1", devices: ["a"] }),
      { code: "storage-failed", message: "Event cannot be stored" },
    );
    assert.deepEqual(journal.devices, []);
    await Deno.remove(`${folder}/filler`);
    assert.equal(await journal.accept({ id: "1", devices: ["a"] }), "accepted");
    assert.deepEqual(await filesOf(folder), [`${FOLDER}/pending/a`]);
  }));

Deno.test("EventJournal carries out again what it cannot remove, and says so", () =>
  withFolder(async (folder) => {
    using logs = new CapturedLogs();
    const journal = await open(folder);
    await journal.accept({ id: "1", devices: ["a"] });
    const pending = `${folder}/${FOLDER}/pending`;
    await Deno.rename(pending, `${pending}-elsewhere`);
    await Deno.symlink("pending", pending);
    await finish(journal, "a");
    assert.deepEqual(logs.messages("warn"), [
      "Event cannot be removed, it will be carried out again after a restart",
    ]);
    assert.deepEqual(journal.devices, []);
    await Deno.remove(pending);
    await Deno.rename(`${pending}-elsewhere`, pending);
    assert.deepEqual((await open(folder)).devices, ["a"]);
  }));

Deno.test("EventJournal removes an event also where it cannot note that it was taken", () =>
  withFolder(async (folder) => {
    using logs = new CapturedLogs();
    const journal = await open(folder);
    await journal.accept({ id: "1", devices: ["a"] });
    const seen = `${folder}/${FOLDER}/seen.json`;
    await Deno.mkdir(`${seen}/full`, { recursive: true });
    await finish(journal, "a");
    assert.deepEqual(logs.messages("warn"), [
      "Events that were taken cannot be noted, a repetition will be carried out after a restart",
    ]);
    assert.equal(await journal.accept({ id: "1", devices: ["a"] }), "repeated");
    await Deno.remove(seen, { recursive: true });
    assert.deepEqual((await open(folder)).devices, []);
    await journal.accept({ id: "2", devices: ["a"] });
    await finish(journal, "a");
    assert.equal(await (await open(folder)).accept({ id: "1", devices: ["a"] }), "repeated");
  }));

Deno.test("EventJournal clears drafts, keeps an event whose file was spoiled, and nothing that is none", () =>
  withFolder(async (folder) => {
    using logs = new CapturedLogs();
    await (await open(folder)).accept({ id: "1", devices: ["a"] });
    const events = `${folder}/${FOLDER}`;
    await Deno.writeTextFile(`${events}/pending/a`, "[");
    await Deno.writeTextFile(`${events}/pending/b`, "");
    await Deno.writeTextFile(`${events}/pending/C`, "[]");
    await Deno.writeTextFile(`${events}/draft-0`, "[");
    await Deno.writeTextFile(`${events}/seen.json`, `{"a":1}`);
    const journal = await open(folder);
    assert.deepEqual(journal.devices.toSorted(), ["a", "b"]);
    assert(!(await filesOf(events)).includes("draft-0"));
    assert.equal(logs.messages("warn").length, 4);
    assert.equal(await journal.accept({ id: "2", devices: ["a"] }), "accepted");
  }));

Deno.test("EventJournal takes the longest device id that there is", () =>
  withFolder(async (folder) => {
    const device = `${"a/".repeat(127)}a`;
    assert.equal(device.length, 255);
    await (await open(folder)).accept({ id: "1", devices: [device] });
    assert.deepEqual((await open(folder)).devices, [device]);
  }));

Deno.test("EventJournal fails with a code where its folder cannot be made", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    await assert.rejects(open(`${folder}/file`), {
      code: "storage-failed",
      message: "Events cannot be kept",
    });
  }));

Deno.test("EventJournal loses nothing, whatever the order of what is done to it", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          kind: fc.constantFrom("accept", "begin", "finish", "restart", "settle"),
          device: fc.constantFrom("a", "b", "c"),
        }),
        { maxLength: 40 },
      ),
      (steps) =>
        withFolder(async (folder) => {
          let journal = await open(folder);
          /** Devices that changed since the last check of them began. */
          const changed = new Set<string>();
          const begun = new Map<string, number>();
          let underway: Promise<unknown>[] = [];
          const settle = async (): Promise<void> => void (await Promise.all(underway));
          for (const [number, { kind, device }] of steps.entries()) {
            if (kind === "accept") {
              changed.add(device);
              underway.push(journal.accept({ id: `${number}`, devices: [device] }));
            } else if (kind === "settle") await settle();
            else if (kind === "restart") {
              await settle();
              underway = [];
              begun.clear();
              journal = await open(folder);
            } else if (kind === "begin") {
              await settle();
              begun.set(device, journal.revisionOf(device));
              changed.delete(device);
            } else {
              const revision = begun.get(device);
              if (revision !== undefined) underway.push(journal.finish(device, revision));
            }
          }
          await settle();
          const left = (await open(folder)).devices;
          for (const device of changed) assert(left.includes(device), device);
          assert.deepEqual(left.toSorted(), journal.devices.toSorted());
        }),
    ),
    { numRuns: 60 },
  ));
