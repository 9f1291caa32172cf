import assert from "node:assert/strict";
import { join } from "node:path";
import { orasArtifact } from "../helpers/artifacts.ts";
import { debianTool } from "../helpers/debian.ts";
import { sha256Of, withFolder } from "../helpers/disk.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { startNginx } from "../helpers/nginx.ts";
import { Otaflux } from "../helpers/otaflux.ts";

const nginx = await debianTool("nginx");

const [ONE, TWO] = [firmwareBytes(300_000, 1), firmwareBytes(300_000, 2)];
const TARGET = "/firmware?device=pump";

/** An artifact whose author does not say when it was made. */
function undated(bytes: Uint8Array<ArrayBuffer>): ReturnType<typeof orasArtifact> {
  return orasArtifact(bytes, { annotations: { "org.opencontainers.image.created": "" } });
}

async function validators(origin: string): Promise<readonly (string | null)[]> {
  const { headers } = await fetch(origin + TARGET, { method: "HEAD" });
  return [headers.get("etag"), headers.get("last-modified")];
}

Deno.test("tag and date of a firmware are the same after a restart, also of one without a date", async () => {
  await withFolder(async (folder) => {
    await using registry = new FakeRegistry();
    registry.push("pump", "1.0.0", undated(ONE));
    const args = ["--registry-url", registry.origin, "--cache-dir", folder];
    const before = await (async (): Promise<readonly (string | null)[]> => {
      await using otaflux = await Otaflux.start({ args });
      return await validators(otaflux.origin);
    })();
    assert.equal(before[0], `"${sha256Of(ONE)}"`);
    const seenMs = Date.parse(before[1] ?? "");
    assert.ok(Math.abs(Date.now() - seenMs) < 60_000);
    await registry[Symbol.asyncDispose]();
    // The system's clock is on its way; the firmware's date is not.
    while (Date.now() < seenMs + 1100) await new Promise((resolve) => setTimeout(resolve, 50));
    await using otaflux = await Otaflux.start({ args });
    assert.deepEqual(await validators(otaflux.origin), before);
  });
});

Deno.test("an older firmware of the same or an earlier date is a change to whoever asks by date", async () => {
  await using registry = new FakeRegistry();
  registry.push("pump", "1.0.0", orasArtifact(ONE));
  registry.push("pump", "2.0.0", orasArtifact(TWO));
  await using otaflux = await Otaflux.start({
    args: ["--registry-url", registry.origin, "--refresh-interval", "0"],
  });
  const [, date] = await validators(otaflux.origin);
  const ask = (): Promise<Response> =>
    fetch(otaflux.origin + TARGET, {
      headers: { "if-modified-since": date ?? "", "x-forwarded-for": "192.0.2.1" },
    });
  assert.equal((await ask()).status, 304);
  registry.deleteTag("pump", "2.0.0");
  const back = await ask();
  assert.equal(back.status, 200);
  assert.deepEqual(await back.bytes(), ONE);
});

Deno.test({
  name: "nginx in front sends the bytes, after it was told 304",
  ignore: "skip" in nginx,
  fn: () =>
    withFolder(async (folder) => {
      if ("skip" in nginx) return;
      await using registry = new FakeRegistry();
      registry.push("pump", "1.0.0", orasArtifact(ONE));
      await using otaflux = await Otaflux.start({ args: ["--registry-url", registry.origin] });
      await using proxy = await startNginx(nginx, {
        folder,
        http: `proxy_cache_path ${join(folder, "cache")} keys_zone=firmware:1m;`,
        location: `proxy_pass ${otaflux.origin};
          proxy_set_header X-Forwarded-For $remote_addr;
          proxy_cache firmware;
          proxy_cache_revalidate on;
          proxy_ignore_headers Cache-Control;
          proxy_cache_valid 200 1s;
          add_header X-Cache $upstream_cache_status;`,
      });
      let status;
      do {
        const response = await fetch(proxy.origin + TARGET);
        status = response.headers.get("x-cache");
        assert.deepEqual(await response.bytes(), ONE);
      } while (status !== "REVALIDATED");
      const metrics = await otaflux.metrics();
      const requests = [
        ...metrics.matchAll(/^http_requests_total\{.*"\/firmware".*"(\d+)"\} (\d+)$/gm),
      ]
        .map(([, code, count]) => [code, count]);
      assert.deepEqual(requests, [["200", "1"], ["304", "1"]]);
    }),
});
