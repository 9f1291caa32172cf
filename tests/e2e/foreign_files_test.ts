/**
 * What others may put into the cache folder, or take away from it, against the service as a process.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { orasArtifact } from "../helpers/artifacts.ts";
import { run } from "../helpers/cache.ts";
import { filesOf, sha256Of, withFolder } from "../helpers/disk.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { Otaflux, runOtaflux } from "../helpers/otaflux.ts";
import type { SubjectCommand } from "../helpers/subject.ts";
import {
  cannotDropPrivileges,
  giveToNobody,
  takeAway,
  unprivilegedSubject,
} from "../helpers/unprivileged.ts";

const FIRMWARE = firmwareBytes(5000, 1);
const BLOB = `.otaflux/blobs/${sha256Of(FIRMWARE)}`;
const SECRET = "not to be touched";

/** A cache folder with firmware for `pump`, as an earlier process has left it. */
async function withCache(
  test: (cache: string, registry: FakeRegistry, subject: SubjectCommand) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    await Deno.chmod(folder, 0o755);
    const cache = join(folder, "cache");
    await Deno.mkdir(cache);
    await giveToNobody(cache);
    const subject = await unprivilegedSubject(folder);
    await using registry = new FakeRegistry();
    registry.push("pump", "1.0.0", orasArtifact(FIRMWARE));
    {
      await using otaflux = await start({ cache, registry, subject });
      assert.deepEqual(await firmwareOf(otaflux, "pump"), FIRMWARE);
    }
    await test(cache, registry, subject);
  });
}

function argsFor(cache: string, registry: FakeRegistry): string[] {
  return ["--registry-url", registry.origin, "--cache-dir", cache];
}

function start(
  { cache, registry, subject }: {
    readonly cache: string;
    readonly registry: FakeRegistry;
    readonly subject: SubjectCommand;
  },
): Promise<Otaflux> {
  return Otaflux.start({ subject, args: argsFor(cache, registry) });
}

async function firmwareOf(otaflux: Otaflux, device: string): Promise<Uint8Array> {
  const response = await fetch(`${otaflux.origin}/firmware?device=${device}`);
  assert.equal(response.status, 200);
  return await response.bytes();
}

Deno.test("firmware that cannot be read any more is fetched again", {
  ignore: cannotDropPrivileges,
}, async () => {
  await withCache(async (cache, registry, subject) => {
    await takeAway(join(cache, BLOB));
    await using otaflux = await start({ cache, registry, subject });
    assert.deepEqual(await firmwareOf(otaflux, "pump"), FIRMWARE);
    const { reason } = await otaflux.logged("Firmware cannot be read, removing it");
    assert.match(`${reason}`, /^Permission denied/);
    const { size } = await Deno.stat(join(cache, BLOB));
    assert.equal(size, FIRMWARE.length);
  });
});

Deno.test("events that cannot be read keep nobody from starting, and are carried out", {
  ignore: cannotDropPrivileges,
}, async () => {
  await withCache(async (cache, registry, subject) => {
    registry.push("fan", "2.0.0", orasArtifact(FIRMWARE));
    const events = join(cache, ".otaflux/events");
    for (const name of ["seen.json", "pending/fan"]) {
      await Deno.writeTextFile(join(events, name), "[]");
      await takeAway(join(events, name));
    }
    await using otaflux = await start({ cache, registry, subject });
    await otaflux.logged("What is written down of events cannot be read");
    await otaflux.logged("Event is carried out", { device: "fan" });
  });
});

Deno.test("a folder that belongs to somebody else is named, with what to do", {
  ignore: cannotDropPrivileges,
}, async () => {
  await withCache(async (cache, registry, subject) => {
    registry.push("fan", "2.0.0", orasArtifact(FIRMWARE));
    await Deno.mkdir(join(cache, "fan"));
    await takeAway(join(cache, "fan"));
    {
      await using otaflux = await start({ cache, registry, subject });
      const response = await fetch(`${otaflux.origin}/firmware?device=fan`);
      assert.equal(response.status, 503);
      assert.equal((await response.text()).trim(), "Firmware cannot be stored");
      const { reason } = await otaflux.logged("Request cannot be answered");
      assert.match(
        `${reason}`,
        /cache\/fan\/blobs'; want it owned, and writable, by the user that runs OtaFlux$/,
      );
      assert.deepEqual(await firmwareOf(otaflux, "pump"), FIRMWARE);
    }
    await Deno.chmod(join(cache, "fan"), 0o755);
    await takeAway(join(cache, ".otaflux"));
    const { code, stderr } = await runOtaflux({ subject, args: argsFor(cache, registry) });
    await Deno.chmod(join(cache, ".otaflux"), 0o755);
    assert.equal(code, 1);
    assert.match(stderr, /Permission denied .* by the user that runs OtaFlux; see --cache-dir\n$/);
  });
});

const LINK = /is a link, want a folder of its own: remove the link; see --cache-dir\n$/;
const NO_FILE = /lock" is no plain file: remove it; see --cache-dir\n$/;

for (
  const [what, path, kind, line] of [
    ["a link in the place of all that is ours", ".otaflux", "link", LINK],
    ["a link in the place of the blobs", ".otaflux/blobs", "link", LINK],
    ["a link in the place of the events", ".otaflux/events", "link", LINK],
    ["a link in the place of what waits", ".otaflux/events/pending", "link", LINK],
    ["a link in the place of the lock", ".otaflux/lock", "link", NO_FILE],
    ["a pipe in the place of the lock", ".otaflux/lock", "pipe", NO_FILE],
    ["a file in the place of the blobs", ".otaflux/blobs", "file", /stands there: remove it; see/],
  ] as const
) {
  Deno.test(`${what} ends the start with one line, and nothing behind it is touched`, async () => {
    await withFolder(async (folder) => {
      const [cache, outside] = [join(folder, "cache"), join(folder, "outside")];
      await Deno.mkdir(join(cache, ".otaflux/events"), { recursive: true });
      await Deno.mkdir(outside);
      await Deno.writeTextFile(join(outside, sha256Of(FIRMWARE)), SECRET);
      const target = join(cache, path);
      if (path !== ".otaflux/lock") await run("rm", { args: ["-rf", target] });
      if (kind === "link") await Deno.symlink(outside, target);
      else if (kind === "pipe") await run("mkfifo", { args: [target] });
      else await Deno.writeTextFile(target, "");
      await using registry = new FakeRegistry();
      const { code, stderr } = await runOtaflux({ args: argsFor(cache, registry) });
      assert.equal(code, 1);
      assert.match(stderr, line);
      assert.equal(stderr.trim().split("\n").filter((text) => !text.includes("WARN")).length, 1);
      assert.deepEqual(await filesOf(outside), [sha256Of(FIRMWARE)]);
      assert.equal(await Deno.readTextFile(join(outside, sha256Of(FIRMWARE))), SECRET);
    });
  });
}

Deno.test("links where events are drafted, and where a device's blobs are, are not followed", async () => {
  await withFolder(async (folder) => {
    const [cache, outside] = [join(folder, "cache"), join(folder, "outside")];
    await Deno.mkdir(join(cache, ".otaflux/events"), { recursive: true });
    await Deno.mkdir(join(cache, "pump/blobs"), { recursive: true });
    await Deno.mkdir(outside);
    const other = sha256Of(firmwareBytes(10, 7));
    await Deno.writeTextFile(join(outside, other), SECRET);
    for (const name of ["draft-0", "draft-seen"]) {
      await Deno.symlink(join(outside, other), join(cache, ".otaflux/events", name));
    }
    await Deno.symlink(outside, join(cache, "pump/blobs/sha256"));
    await using registry = new FakeRegistry();
    registry.push("pump", "1.0.0", orasArtifact(FIRMWARE));
    registry.push("fan", "1.0.0", orasArtifact(FIRMWARE));
    await using otaflux = await Otaflux.start({ args: argsFor(cache, registry) });
    const response = await fetch(`${otaflux.origin}/firmware?device=pump`);
    assert.equal(response.status, 503);
    await response.body?.cancel();
    const { reason } = await otaflux.logged("Request cannot be answered");
    assert.match(`${reason}`, /sha256" is a link, want a folder of its own: remove the link$/);
    const data = { repository: { repo_full_name: "fan" }, resources: [{ tag: "1.0.0" }] };
    const hook = await fetch(`${otaflux.origin}/webhooks/harbor`, {
      method: "POST",
      body: JSON.stringify({ type: "PUSH_ARTIFACT", event_data: data }),
    });
    assert.deepEqual([hook.status, await hook.text()], [200, "Accepted"]);
    await otaflux.logged("Event is carried out", { device: "fan" });
    assert.deepEqual(await filesOf(outside), [other]);
    assert.equal(await Deno.readTextFile(join(outside, other)), SECRET);
  });
});
