/** Update clients themselves, where they run on Linux. What only devices run is replayed elsewhere. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { orasArtifact } from "../helpers/artifacts.ts";
import { makeRaucBundle, makeSigner, makeSwuImage, raucEnv } from "../helpers/bundles.ts";
import { run } from "../helpers/cache.ts";
import { debianTool } from "../helpers/debian.ts";
import { withFolder } from "../helpers/disk.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { Otaflux } from "../helpers/otaflux.ts";

const rauc = await debianTool("rauc");
const mksquashfs = await debianTool("squashfs-tools", { binary: "mksquashfs" });
const swupdate = await debianTool("swupdate");
const cpio = await debianTool("cpio");
const curl = await debianTool("curl");

const CONTENT = firmwareBytes(300_000, 7);

async function serve(
  firmware: Uint8Array<ArrayBuffer>,
  test: (otaflux: Otaflux) => Promise<void>,
): Promise<void> {
  await using registry = new FakeRegistry();
  registry.push("pump", "1.2.3", orasArtifact(firmware));
  await using otaflux = await Otaflux.start({ args: ["--registry-url", registry.origin] });
  await test(otaflux);
}

Deno.test({
  name: "rauc fetches a bundle and verifies it",
  ignore: "skip" in rauc || "skip" in mksquashfs,
  fn: () =>
    withFolder(async (folder) => {
      if ("skip" in rauc || "skip" in mksquashfs) return;
      const signer = await makeSigner(folder);
      const options = { folder, content: CONTENT, signer };
      await serve(await makeRaucBundle(rauc, mksquashfs, options), async ({ origin }) => {
        const url = `${origin}/firmware?device=pump`;
        // Debian's is built without streaming, so that it downloads all of it.
        const { success, stdout, stderr } = await run(rauc.path, {
          args: ["--keyring", signer.certificate, "info", "--output-format=json", url],
          env: raucEnv(rauc, mksquashfs),
        });
        assert.ok(success, stderr);
        const { compatible, version, images } = JSON.parse(stdout);
        assert.deepEqual([compatible, version, images.length], ["pump", "1.2.3", 1]);
        assert.match(stderr, /Verified inline signature by/);
      });
    }),
});

Deno.test({
  name: "swupdate downloads an image and installs it",
  ignore: "skip" in swupdate || "skip" in cpio,
  fn: () =>
    withFolder(async (folder) => {
      if ("skip" in swupdate || "skip" in cpio) return;
      const signer = await makeSigner(folder);
      const target = join(folder, "installed.bin");
      const image = await makeSwuImage(cpio, { folder, content: CONTENT, signer, target });
      await serve(image, async (otaflux) => {
        const { success, stdout, stderr } = await run(swupdate.path, {
          args: [
            ...["-v", "-H", "pump:1", "-k", signer.certificate],
            ...["-d", `-u ${otaflux.origin}/firmware?device=pump`],
          ],
          // It leaves sockets there.
          env: { ...swupdate.env, TMPDIR: folder },
        });
        assert.ok(success, stdout + stderr);
        assert.deepEqual(await Deno.readFile(target), CONTENT);
      });
    }),
});

Deno.test({
  name: "curl asks only for what is newer than its copy, by tag and by date",
  ignore: "skip" in curl,
  fn: () =>
    withFolder(async (folder) => {
      if ("skip" in curl) return;
      await serve(CONTENT, async ({ origin }) => {
        const [copy, etag] = [join(folder, "firmware.bin"), join(folder, "etag.txt")];
        const get = async (...args: string[]): Promise<string> => {
          const url = `${origin}/firmware?device=pump`;
          const written = ["-sS", "-R", "-o", copy, "-w", "%{http_code}", ...args, url];
          const { success, stdout, stderr } = await run(curl.path, { args: written });
          assert.ok(success, stderr);
          return stdout;
        };
        assert.equal(await get("--etag-save", etag), "200");
        assert.deepEqual(await Deno.readFile(copy), CONTENT);
        assert.equal(await get("--etag-compare", etag), "304");
        assert.equal(await get("-z", copy), "304");
      });
    }),
});
