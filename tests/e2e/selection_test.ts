import assert from "node:assert/strict";
import { imageIndex, orasArtifact } from "../helpers/artifacts.ts";
import { debianTool } from "../helpers/debian.ts";
import { withFolder } from "../helpers/disk.ts";
import { DockerRegistry } from "../helpers/docker_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import type { Artifact } from "../helpers/manifest.ts";
import { Otaflux } from "../helpers/otaflux.ts";

const tool = await debianTool("docker-registry");

/** The firmware of each tag. */
const TAGS = ["1.0.0", "v1.1.0", "1.2.0-beta.1", "1.2.0-rc.1", "2.0.0", "2.1.0-beta.2"];
const bytesOf = (tag: string): Uint8Array<ArrayBuffer> =>
  firmwareBytes(5000, TAGS.indexOf(tag) + 1);

/** What is for each hardware, and of which files. */
const [C3, C6] = [[firmwareBytes(3000, 33), firmwareBytes(400, 34)], [
  firmwareBytes(3000, 66),
  firmwareBytes(400, 67),
]] as const;

/** Two layers, as `oras push app.bin boot.bin` makes them. */
function filesOf(
  [app, boot]: readonly [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>],
): Artifact {
  return orasArtifact(app, { title: "app.bin", moreFiles: { "boot.bin": boot } });
}

const BOARDS = imageIndex([
  { artifact: filesOf(C3), claim: { platform: { os: "none", architecture: "esp32c3" } } },
  {
    artifact: filesOf(C6),
    claim: {
      platform: { os: "none", architecture: "esp32c6", variant: "v1" },
      annotations: { "dev.otaflux.variant": "rev-2" },
    },
  },
]);

interface Bench {
  readonly registry: DockerRegistry;
  /** Starts a service on the same folder. */
  readonly serve: (...args: readonly string[]) => Promise<Otaflux>;
}

function withRegistry(name: string, test: (bench: Bench) => Promise<void>): void {
  Deno.test({
    name: `docker-registry: ${name}`,
    ignore: "skip" in tool,
    fn: () =>
      withFolder(async (folder) => {
        if ("skip" in tool) return;
        await using registry = await DockerRegistry.start(tool, { auth: false });
        for (const tag of TAGS) {
          await registry.push("esp32", tag, orasArtifact(bytesOf(tag)));
        }
        await registry.push("board", "3.0.0", BOARDS);
        const serve = (...args: readonly string[]): Promise<Otaflux> =>
          Otaflux.start({
            args: ["--registry-url", registry.origin, "--cache-dir", folder, ...args],
          });
        await test({ registry, serve });
      }),
  });
}

/** What a device is told, and gets then; the sentence of an error. */
async function update(
  otaflux: Otaflux,
  query: string,
): Promise<readonly [string, Uint8Array<ArrayBuffer>] | string> {
  const version = await fetch(`${otaflux.origin}/version?device=${query}`);
  const text = await version.text();
  if (version.status !== 200) return `${version.status} ${text.trim()}`;
  const firmware = await fetch(`${otaflux.origin}/firmware?device=${query}`);
  assert.equal(firmware.status, 200, query);
  return [text.split("\n")[0] ?? "", await firmware.bytes()];
}

const CHOICES: readonly (readonly [query: string, tag: string])[] = [
  ["esp32", "2.1.0-beta.2"],
  ["esp32&prerelease=false", "2.0.0"],
  ["esp32&constraint=%5E1", "v1.1.0"],
  ["esp32&constraint=%5E1&prerelease=true", "1.2.0-rc.1"],
  ["esp32&constraint=%5E1&channel=beta", "1.2.0-beta.1"],
  ["esp32&channel=rc", "2.0.0"],
  ["esp32&version=v1.0.0", "1.0.0"],
];

const PARTS: readonly (readonly [query: string, bytes: Uint8Array<ArrayBuffer>])[] = [
  ["board", C3[0]],
  ["board&variant=rev-2", C6[0]],
  ["board&variant=esp32c6&file=boot.bin", C6[1]],
  ["board&platform=none/esp32c3&file=boot.bin", C3[1]],
  ["board&version=3.0.0&platform=none/esp32c6/v1", C6[0]],
];

/** What every query is answered with, as long as nothing is pushed. */
async function assertChoices(otaflux: Otaflux): Promise<void> {
  for (const [query, tag] of CHOICES) {
    assert.deepEqual(await update(otaflux, query), [tag.replace("v", ""), bytesOf(tag)], query);
  }
  for (const [query, bytes] of PARTS) {
    assert.deepEqual(await update(otaflux, query), ["3.0.0", bytes], query);
  }
}

withRegistry("each device gets what it asks for, and all of it again without the registry", async ({
  registry,
  serve,
}) => {
  {
    await using otaflux = await serve();
    await assertChoices(otaflux);
    assert.equal(
      await update(otaflux, "esp32&constraint=%5E3"),
      "404 No firmware for device 'esp32' matches constraint '^3'",
    );
    assert.equal(
      await update(otaflux, "board&variant=rev-9"),
      "404 No firmware for device 'board' matches variant 'rev-9'",
    );
    const series = (await otaflux.metrics()).matchAll(/device_id="([^"]*)"/g);
    assert.deepEqual(new Set([...series].map(([, id]) => id)), new Set(["esp32", "board"]));
  }
  await registry.stop();
  await using otaflux = await serve();
  await assertChoices(otaflux);
  // What nobody has asked for cannot be told from what there is not.
  assert.match(`${await update(otaflux, "esp32&version=1.2.0-rc.2")}`, /^502 /);
});

withRegistry("a push reaches whom it is for, and nobody else", async ({ registry, serve }) => {
  await using otaflux = await serve("--refresh-interval", "0");
  for (const query of ["esp32", "esp32&constraint=%5E1", "esp32&version=1.0.0"]) {
    await update(otaflux, query);
  }
  const pushed = firmwareBytes(6000, 99);
  await registry.push("esp32", "1.3.0", orasArtifact(pushed));
  assert.deepEqual(await update(otaflux, "esp32&constraint=%5E1"), ["1.3.0", pushed]);
  const newest = "2.1.0-beta.2";
  assert.deepEqual(await update(otaflux, "esp32"), [newest, bytesOf(newest)]);
  assert.deepEqual(await update(otaflux, "esp32&version=1.0.0"), ["1.0.0", bytesOf("1.0.0")]);
});

withRegistry("what the operator wants holds for who says nothing, also after a restart", async ({
  registry,
  serve,
}) => {
  const flags = ["--default-constraint", "<2", "--prerelease", "true"];
  const answers = async (otaflux: Otaflux): Promise<void> => {
    assert.deepEqual(await update(otaflux, "esp32"), ["1.2.0-rc.1", bytesOf("1.2.0-rc.1")]);
    const asked = await update(otaflux, "esp32&prerelease=false&constraint=*");
    assert.deepEqual(asked, ["2.0.0", bytesOf("2.0.0")]);
  };
  {
    await using otaflux = await serve(...flags);
    await answers(otaflux);
  }
  await registry.stop();
  {
    await using otaflux = await serve(...flags);
    await answers(otaflux);
  }
  // What was kept is not what is wanted now.
  await using otaflux = await serve("--default-constraint", "^2");
  assert.match(`${await update(otaflux, "esp32")}`, /^502 /);
});

withRegistry("an exact version that is interrupted goes on, although its tag has moved", async ({
  registry,
  serve,
}) => {
  await using otaflux = await serve("--refresh-interval", "0");
  const url = `${otaflux.origin}/firmware?device=esp32&version=1.0.0`;
  const whole = bytesOf("1.0.0");
  const first = await fetch(url, { headers: { range: "bytes=0-999" } });
  assert.deepEqual([first.status, await first.bytes()], [206, whole.slice(0, 1000)]);
  const moved = firmwareBytes(5000, 55);
  await registry.push("esp32", "1.0.0", orasArtifact(moved));
  const rest = await fetch(url, { headers: { range: "bytes=1000-" } });
  assert.deepEqual([rest.status, await rest.bytes()], [206, whole.slice(1000)]);
  const anew = await fetch(url, { headers: { "x-forwarded-for": "192.0.2.1" } });
  assert.deepEqual(await anew.bytes(), moved);
});

withRegistry(
  "the address in the object gives what it describes, while the registry is away",
  async ({
    registry,
    serve,
  }) => {
    await using otaflux = await serve("--refresh-interval", "1h");
    const described = await fetch(
      `${otaflux.origin}/version.json?device=board&variant=rev-2&file=boot.bin`,
    );
    const { url, files, version } = await described.json();
    assert.deepEqual([version, files], ["3.0.0", ["app.bin", "boot.bin"]]);
    await registry.stop();
    const firmware = await fetch(`${otaflux.origin}${url}`);
    assert.deepEqual(await firmware.bytes(), C6[1]);
  },
);

withRegistry("a device that runs the newest of its kind is sent nothing", async ({ serve }) => {
  await using otaflux = await serve();
  const query = "device=esp32&constraint=%5E1&only-newer=true&current=";
  for (const path of ["version", "firmware"]) {
    for (const [current, status] of [["1.1.0", 204], ["1.0.9", 200]] as const) {
      const response = await fetch(`${otaflux.origin}/${path}?${query}${current}`);
      assert.equal(response.status, status);
      assert.equal((await response.bytes()).length > 0, status === 200);
    }
  }
});
