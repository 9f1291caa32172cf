import assert from "node:assert/strict";
import { join } from "node:path";
import { orasArtifact } from "../helpers/artifacts.ts";
import { run } from "../helpers/cache.ts";
import { debianTool } from "../helpers/debian.ts";
import { sha256Of, withFolder } from "../helpers/disk.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { Otaflux } from "../helpers/otaflux.ts";

const curl = await debianTool("curl");
const wget = await debianTool("wget");

const OLD = firmwareBytes(1_000_003, 1);
const NEW = firmwareBytes(900_001, 2);
const CUTS = 200;

interface Bench {
  readonly registry: FakeRegistry;
  readonly url: string;
}

async function withService(test: (bench: Bench) => Promise<void>): Promise<void> {
  await using registry = new FakeRegistry();
  registry.push("pump", "1.0.0", orasArtifact(OLD));
  await using otaflux = await Otaflux.start({
    args: ["--registry-url", registry.origin, "--refresh-interval", "0"],
  });
  await test({ registry, url: `${otaflux.origin}/firmware?device=pump` });
}

/** Downloads so many bytes into a file, and hangs up. */
async function downloadCut(url: string, path: string, length: number): Promise<void> {
  const response = await fetch(url);
  assert.equal(response.status, 200);
  const bytes = await someOf(response, length);
  assert.equal(bytes.length, length);
  await Deno.writeFile(path, bytes);
}

Deno.test({
  name: `curl -C - resumes downloads that were cut at ${CUTS} places, each to the same bytes`,
  ignore: "skip" in curl,
  fn: () =>
    withService(({ url }) =>
      withFolder(async (folder) => {
        if ("skip" in curl) return;
        const path = join(folder, "firmware.bin");
        for (let cut = 0; cut < CUTS; cut++) {
          const length = cut === 0
            ? OLD.length - 1
            : 1 + Math.floor(Math.random() * (OLD.length - 1));
          await downloadCut(url, path, length);
          const { success, stdout, stderr } = await run(curl.path, {
            args: ["-sS", "-C", "-", "-w", "%{http_code} %{size_download}", "-o", path, url],
          });
          assert.ok(success, stderr);
          assert.equal(stdout, `206 ${OLD.length - length}`);
          const bytes = await Deno.readFile(path);
          assert.equal(sha256Of(bytes), sha256Of(OLD), `cut at ${length}`);
        }
      })
    ),
});

for (const [name, tool] of [["curl", curl], ["wget", wget]] as const) {
  Deno.test({
    name: `${name} goes on with the firmware that it has begun, although a newer one has come`,
    ignore: "skip" in tool,
    fn: () =>
      withService(({ url, registry }) =>
        withFolder(async (folder) => {
          if ("skip" in tool) return;
          const path = join(folder, "firmware.bin");
          await downloadCut(url, path, 400_000);
          registry.push("pump", "2.0.0", orasArtifact(NEW));
          const args = name === "curl"
            ? ["-sS", "-C", "-", "-o", path, url]
            : ["-q", "-c", "-O", path, url];
          const { success, stderr } = await run(tool.path, { args });
          assert.ok(success, stderr);
          assert.equal(sha256Of(await Deno.readFile(path)), sha256Of(OLD));
          // And it is the newest for whoever begins.
          const response = await fetch(url);
          assert.equal(sha256Of(await response.bytes()), sha256Of(NEW));
        })
      ),
  });
}

Deno.test("a download that names its firmware never gets bytes of two, from wherever it goes on", async () => {
  const versions = [OLD, NEW, firmwareBytes(950_000, 3), firmwareBytes(990_000, 4)];
  const byTag = new Map(versions.map((bytes) => [`"${sha256Of(bytes)}"`, bytes]));
  await withService(async ({ url, registry }) => {
    let [have, etag, restarts, finished] = [new Uint8Array(), "", 0, 0];
    for (let request = 0; finished < 2; request++) {
      // In the middle of a download each.
      const version = versions[(request + 2) / 5];
      if (version !== undefined && version !== OLD) {
        registry.push("pump", `1.${request}.0`, orasArtifact(version));
      }
      // Each time from elsewhere: nobody remembers what this client has begun.
      const headers = {
        "x-forwarded-for": `192.0.2.${request}`,
        ...(etag !== "" && { range: `bytes=${have.length}-`, "if-range": etag }),
      };
      const response = await fetch(url, { headers });
      if (response.status === 200 && have.length > 0) {
        restarts++;
        have = new Uint8Array();
      }
      etag = response.headers.get("etag") ?? "";
      have = Uint8Array.from([...have, ...await someOf(response, 250_000)]);
      const whole = byTag.get(etag);
      assert(whole !== undefined);
      assert.deepEqual(have, whole.slice(0, have.length), "all bytes are of the tag's firmware");
      if (have.length < whole.length) continue;
      finished++;
      [have, etag] = [new Uint8Array(), ""];
    }
    assert.ok(restarts >= 2);
  });
});

Deno.test("If-Match says that there is another firmware, instead of sending of it", async () => {
  await withService(async ({ url, registry }) => {
    const first = await fetch(url, { method: "HEAD" });
    const etag = first.headers.get("etag") ?? "";
    registry.push("pump", "2.0.0", orasArtifact(NEW));
    const headers = { "if-match": etag, range: "bytes=1000-1999" };
    // Who was told of the old one still gets it,
    const told = await fetch(url, { headers });
    assert.deepEqual(await told.bytes(), OLD.slice(1000, 2000));
    // and who was not does not.
    const other = await fetch(url, { headers: { ...headers, "x-forwarded-for": "192.0.2.1" } });
    assert.equal(other.status, 412);
    assert.equal(await other.text(), "Firmware is 2.0.0 now, not what the request is for\n\n");
  });
});

/** So many bytes of a body, or what it has; then hangs up. */
async function someOf(response: Response, length: number): Promise<Uint8Array> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let left = length;
  for await (const chunk of response.body ?? []) {
    parts.push(chunk.slice(0, left));
    left -= Math.min(left, chunk.length);
    if (left === 0) break;
  }
  return await new Blob(parts).bytes();
}
