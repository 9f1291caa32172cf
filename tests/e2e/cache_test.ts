import assert from "node:assert/strict";
import { dockerImage, orasArtifact } from "../helpers/artifacts.ts";
import { debianTool } from "../helpers/debian.ts";
import { filesOf, sha256Of, withFolder } from "../helpers/disk.ts";
import { cannotMount, mountSmallDisk } from "../helpers/small_disk.ts";
import { DockerRegistry } from "../helpers/docker_registry.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { crc32Reference, firmwareBytes } from "../helpers/firmware_bytes.ts";
import { seeded } from "../helpers/mutations.ts";
import { Otaflux, runOtaflux } from "../helpers/otaflux.ts";
import * as faults from "../helpers/registry/faults.ts";

const docker = await debianTool("docker-registry");
const skopeo = await debianTool("skopeo");

const ONE = firmwareBytes(300_000, 1);
const TWO = firmwareBytes(310_000, 2);
/** Nothing listens there. */
const NOWHERE = "http://127.0.0.1:1";

/** Starts the service on a cache folder. */
function serve(folder: string, origin: string, ...args: string[]): Promise<Otaflux> {
  return Otaflux.start({ args: ["--registry-url", origin, "--cache-dir", folder, ...args] });
}

/** The two requests of a device, which have to agree. */
async function update(otaflux: Otaflux, device: string): Promise<[string, Uint8Array]> {
  const version = await fetch(`${otaflux.origin}/version?device=${device}`);
  const firmware = await fetch(`${otaflux.origin}/firmware?device=${device}`);
  const [name, crc32, size] = (await version.text()).split("\n");
  const bytes = await firmware.bytes();
  assert.deepEqual([version.status, firmware.status], [200, 200], `${name}`);
  assert.equal(firmware.headers.get("content-length"), size);
  assert.deepEqual([Number(crc32), Number(size)], [crc32Reference(bytes), bytes.length]);
  return [name ?? "", bytes];
}

async function copy(from: string, to: string): Promise<void> {
  const { success } = await new Deno.Command("cp", { args: ["-r", from, to] }).output();
  assert(success);
}

Deno.test({
  name:
    "docker-registry: a restart without it serves all that was cached, from the first request on",
  ignore: "skip" in docker,
  fn: () =>
    withFolder(async (folder) => {
      if ("skip" in docker) return;
      const image = await dockerImage({ "firmware.bin": TWO });
      await using registry = await DockerRegistry.start(docker, { auth: false });
      await registry.push("pump", "1.0.0", orasArtifact(ONE));
      await registry.push("garden/pump", "v2.0.0", image);
      {
        await using otaflux = await serve(folder, registry.origin);
        for (const device of ["pump", "garden/pump"]) await update(otaflux, device);
      }
      await registry.stop();
      await using otaflux = await serve(folder, registry.origin, "--refresh-interval", "0");
      assert.deepEqual(await update(otaflux, "pump"), ["1.0.0", ONE]);
      assert.deepEqual(await update(otaflux, "garden/pump"), ["2.0.0", TWO]);
    }),
});

Deno.test("a copy of the cache folder is a folder of layouts, and a cache", () =>
  withFolder(async (folder) => {
    const [cache, stick] = [`${folder}/cache`, `${folder}/stick`];
    const expected = { pump: ["1.0.0", ONE], "garden/pump": ["2.0.0", TWO] } as const;
    {
      await using registry = new FakeRegistry();
      registry.push("pump", "1.0.0", orasArtifact(ONE));
      registry.push("garden/pump", "2.0.0", await dockerImage({ "firmware.bin": TWO }));
      await using otaflux = await serve(cache, registry.origin);
      for (const device of Object.keys(expected)) await update(otaflux, device);
      await copy(cache, stick);
    }
    {
      await using otaflux = await Otaflux.start({ args: ["--layout-dir", stick] });
      for (const [device, wanted] of Object.entries(expected)) {
        assert.deepEqual(await update(otaflux, device), wanted);
      }
    }
    await using otaflux = await serve(stick, NOWHERE);
    for (const [device, wanted] of Object.entries(expected)) {
      assert.deepEqual(await update(otaflux, device), wanted);
    }
  }));

Deno.test({
  name: "skopeo reads and copies the layout of a device",
  ignore: "skip" in skopeo,
  fn: () =>
    withFolder(async (folder) => {
      if ("skip" in skopeo) return;
      const { path } = skopeo;
      await using registry = new FakeRegistry();
      const artifact = orasArtifact(ONE);
      registry.push("garden/pump", "v1.0.0", artifact);
      await using otaflux = await serve(folder, registry.origin);
      await update(otaflux, "garden/pump");
      const source = `oci:${folder}/garden/pump:v1.0.0`;
      const run = async (...args: string[]): Promise<Uint8Array> => {
        const { success, stdout, stderr } = await new Deno.Command(path, { args }).output();
        assert(success, new TextDecoder().decode(stderr));
        return stdout;
      };
      assert.deepEqual(await run("inspect", "--raw", source), artifact.manifest);
      await run("--insecure-policy", "copy", source, `dir:${folder}/.copy`);
      assert.deepEqual(await Deno.readFile(`${folder}/.copy/${sha256Of(ONE)}`), ONE);
    }),
});

Deno.test("the folder that systemd sets is used", () =>
  withFolder(async (folder) => {
    await using registry = new FakeRegistry();
    registry.push("pump", "1.0.0", orasArtifact(ONE));
    await using otaflux = await Otaflux.start({
      args: ["--registry-url", registry.origin],
      env: { CACHE_DIRECTORY: folder },
    });
    await update(otaflux, "pump");
    assert((await filesOf(folder)).includes("pump/index.json"));
  }));

Deno.test("a second process on a cache folder ends with status 1 and one line", () =>
  withFolder(async (folder) => {
    await using first = await serve(folder, NOWHERE);
    const { code, stderr } = await runOtaflux({
      args: ["--registry-url", NOWHERE, "--cache-dir", folder],
    });
    assert.deepEqual([code, stderr], [
      1,
      `otaflux: Cache folder "${folder}" is used by another process: end that one, or name another folder; see --cache-dir\n`,
    ]);
    assert.equal(first.records.some(({ level }) => level === "error"), false);
  }));

Deno.test("a cache folder that cannot be made ends with status 1 and one line", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    const { code, stderr } = await runOtaflux({
      args: ["--registry-url", NOWHERE, "--cache-dir", `${folder}/file`],
    });
    assert.equal(code, 1);
    assert.match(stderr, /^otaflux: [^\n]+\/file[^\n]+; see --cache-dir\n$/);
  }));

Deno.test("a file that was changed on disk is noticed and fetched again, also after a start", () =>
  withFolder(async (folder) => {
    await using registry = new FakeRegistry();
    registry.push("pump", "1.0.0", orasArtifact(ONE));
    const spoil = async (): Promise<void> => {
      const path = `${folder}/pump/blobs/sha256/${sha256Of(ONE)}`;
      await Deno.writeFile(path, ONE.toReversed());
      await Deno.utime(path, new Date(0), new Date(1));
    };
    for (let start = 0; start < 2; start++) {
      await using otaflux = await serve(folder, registry.origin);
      await update(otaflux, "pump");
      await spoil();
      assert.deepEqual(await update(otaflux, "pump"), ["1.0.0", ONE]);
      await otaflux.logged("Firmware was changed on disk, removing it");
      await spoil();
    }
  }));

Deno.test(
  "on a full disk the old firmware goes on being served",
  { ignore: cannotMount },
  () =>
    withFolder(async (folder) => {
      await using _disk = await mountSmallDisk(folder);
      await using registry = new FakeRegistry();
      registry.push("pump", "1.0.0", orasArtifact(ONE));
      registry.push("cold", "1.0.0", orasArtifact(firmwareBytes(900_000, 3)));
      await using otaflux = await serve(folder, registry.origin, "--refresh-interval", "100ms");
      await update(otaflux, "pump");
      registry.push("pump", "2.0.0", orasArtifact(firmwareBytes(2_000_000, 4)));
      const { reason } = await otaflux.logged(
        "Cannot check for a newer firmware, serving the known one",
      );
      assert.match(`${reason}`, /cannot be stored.*No space left/);
      assert.deepEqual(await update(otaflux, "pump"), ["1.0.0", ONE]);
      const cold = await fetch(`${otaflux.origin}/version?device=cold`);
      assert.equal(cold.status, 503);
      assert.equal(await cold.text(), "Firmware cannot be stored\n\n");
      assert.match(await otaflux.metrics(), /^registry_up 1$/m);
      // Once there is room, that is, something smaller.
      registry.push("pump", "3.0.0", orasArtifact(TWO));
      await otaflux.logged("Firmware is checked again");
      assert.deepEqual(await update(otaflux, "pump"), ["3.0.0", TWO]);
    }),
);

Deno.test("killed at any moment of a fetch, the next start serves the old or the new, whole", () =>
  withFolder(async (folder) => {
    const KILLS = 50;
    const all = [firmwareBytes(1_000_000, 5), firmwareBytes(1_050_000, 6)];
    const artifacts = all.map((bytes) => orasArtifact(bytes));
    // The same moments each time, as far as a machine can.
    const random = seeded(20);
    await using registry = new FakeRegistry();
    let current = 0;
    let fetchMs = 0;
    let changes = 0;
    const push = (at: number): void => {
      const artifact = artifacts[at];
      assert(artifact !== undefined);
      registry.push("pump", "1.0.0", artifact);
    };
    push(current);
    for (let kill = -1; kill < KILLS; kill++) {
      await using otaflux = await serve(folder, registry.origin, "--refresh-interval", "0");
      assert.deepEqual(await filesOf(`${folder}/.otaflux/drafts`), [], "leftovers are cleared");
      if (kill >= 0) {
        // Refused, so that what answers is what lies on the disk.
        using _refusal = registry.fault({ match: {}, respond: faults.status(403) });
        const [, bytes] = await update(otaflux, "pump");
        const found = all.findIndex((firmware) => sha256Of(firmware) === sha256Of(bytes));
        assert(found >= 0, "a mix");
        if (found !== current) changes++;
        current = found;
        push(1 - current);
      }
      const beganMs = performance.now();
      const fetched = update(otaflux, "pump");
      if (kill < 0) {
        await fetched;
        fetchMs = performance.now() - beganMs;
        continue;
      }
      const ignored = fetched.catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, random() * fetchMs));
      otaflux.signal("SIGKILL");
      await Promise.all([otaflux.ended(), ignored]);
    }
    assert(changes > 0 && changes < KILLS, `${changes} of ${KILLS} kills came after the fetch`);
  }));

Deno.test("--no-downgrade holds over a restart, also where the firmware itself had to go", () =>
  withFolder(async (folder) => {
    await using registry = new FakeRegistry();
    registry.push("pump", "1.0.0", orasArtifact(ONE));
    registry.push("pump", "2.0.0", orasArtifact(TWO));
    {
      await using otaflux = await serve(folder, registry.origin, "--no-downgrade");
      assert.equal((await update(otaflux, "pump"))[0], "2.0.0");
    }
    registry.deleteTag("pump", "2.0.0");
    {
      await using otaflux = await serve(
        folder,
        registry.origin,
        ...["--no-downgrade", "--refresh-interval", "0"],
      );
      assert.equal((await update(otaflux, "pump"))[0], "2.0.0", "what is known is served");
      await Deno.remove(`${folder}/pump`, { recursive: true });
    }
    {
      await using otaflux = await serve(folder, registry.origin, "--no-downgrade");
      const answer = await fetch(`${otaflux.origin}/version?device=pump`);
      assert.equal(answer.status, 502);
      assert.match(await answer.text(), /^Firmware 1\.0\.0 .* is lower than 2\.0\.0/);
    }
    await using otaflux = await serve(folder, registry.origin);
    assert.equal((await update(otaflux, "pump"))[0], "1.0.0", "without the flag it is followed");
  }));

Deno.test({
  name: "no file of the cache folder stays open behind what is stored",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withFolder(async (folder) => {
      await using registry = new FakeRegistry();
      for (let device = 0; device < 5; device++) {
        registry.push(`pump-${device}`, "1.0.0", orasArtifact(ONE));
      }
      await using otaflux = await serve(folder, registry.origin);
      for (let device = 0; device < 5; device++) await update(otaflux, `pump-${device}`);
      const open: string[] = [];
      for await (const { name } of Deno.readDir(`/proc/${otaflux.pid}/fd`)) {
        const path = await Deno.readLink(`/proc/${otaflux.pid}/fd/${name}`).catch(() => "");
        if (path.startsWith(folder)) open.push(path.slice(folder.length));
      }
      assert.deepEqual(open, ["/.otaflux/lock"]);
    }),
});
