/**
 * Tokens of devices, with curl as the device.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { orasArtifact } from "../helpers/artifacts.ts";
import { run } from "../helpers/cache.ts";
import { makeCertificates } from "../helpers/certificates.ts";
import { withFolder } from "../helpers/disk.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { Otaflux, runOtaflux } from "../helpers/otaflux.ts";

const FIRMWARE = firmwareBytes(10_000, 8);
const TOKENS = "# Two devices\nhunter2token\n\npump:hunter2:password\n";
const CLEAR = "Device tokens cross the network in clear, unless a proxy in front has TLS";

/** The head and the body of curl's answer. */
async function curl(url: string, ...args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await run("curl", { args: ["-s", "-i", ...args, url] });
  assert.ok(success, stderr);
  return stdout;
}

Deno.test("devices are answered that know a token or a password, strangers reach nothing", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "tokens");
    await Deno.writeTextFile(file, TOKENS);
    await using registry = new FakeRegistry();
    registry.push("pump", "1.0.0", orasArtifact(FIRMWARE));
    await using otaflux = await Otaflux.start({
      args: ["--registry-url", registry.origin],
      env: { DEVICE_TOKEN_FILE: file },
    });
    await otaflux.logged(CLEAR, { level: "warn" });
    const [version, firmware] = ["version", "firmware"]
      .map((path) => `${otaflux.origin}/${path}?device=pump`);
    assert(version && firmware);
    const wrong = [
      [],
      ["-H", "Authorization: Bearer hunter2"],
      ["-H", "Authorization: Bearer pump:hunter2:password"],
      ["-u", "pump:hunter2"],
      ["-u", "hunter2token:"],
    ];
    for (const url of [version, firmware, `${otaflux.origin}/`]) {
      for (const args of wrong) {
        const answer = await curl(url, ...args);
        assert.match(answer, /^HTTP\/1\.1 401 /);
        assert.match(answer, /\r\nwww-authenticate: Basic realm="otaflux", [^\r]*Bearer/i);
        assert.ok(answer.indexOf("\r\n\r\n") < 480);
      }
    }
    assert.deepEqual(registry.requests, []);
    assert.match(await curl(`${otaflux.origin}/health`), /^HTTP\/1\.1 200 /);

    for (
      const args of [["-H", "Authorization: Bearer hunter2token"], ["-u", "pump:hunter2:password"]]
    ) {
      assert.match(await curl(version, ...args), /^HTTP\/1\.1 200 [^]*\r\n\r\n1\.0\.0\n/);
      const body = join(folder, "firmware");
      await curl(firmware, ...args, "--no-include", "-o", body);
      assert.deepEqual(await Deno.readFile(body), FIRMWARE);
    }

    await Deno.writeTextFile(file, "another\n");
    otaflux.signal("SIGHUP");
    await otaflux.logged("Device tokens are in use", { count: 1 });
    assert.match(await curl(version, "-u", "pump:hunter2:password"), /^HTTP\/1\.1 401 /);
    assert.match(await curl(version, "-H", "Authorization: Bearer another"), /^HTTP\/1\.1 200 /);
    await Deno.writeTextFile(file, "not a hunter2 token\n");
    otaflux.signal("SIGHUP");
    const { reason } = await otaflux.logged("Device tokens are refused, those before stay in use");
    assert.match(String(reason), /^line 1 of ".*tokens" is neither a bearer token nor/);
    assert.match(await curl(version, "-H", "Authorization: Bearer another"), /^HTTP\/1\.1 200 /);
    assert.doesNotMatch(JSON.stringify(otaflux.records), /hunter2|another/);
    assert.doesNotMatch(await otaflux.metrics(), /hunter2|another/);
  });
});

Deno.test("tokens and certificate are read anew by one signal, and nothing is warned of", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "tokens");
    await Deno.writeTextFile(file, TOKENS);
    const { caPath, certPath, keyPath } = await makeCertificates(folder);
    const tls = ["--tls-cert-path", certPath, "--tls-key-path", keyPath];
    await using otaflux = await Otaflux.start({
      args: ["--layout-dir", folder, "--device-token-file", file, ...tls],
    });
    const url = `https://localhost:${otaflux.port}/version?device=pump`;
    const known = ["--cacert", caPath, "-H", "Authorization: Bearer hunter2token"];
    assert.match(await curl(url, ...known), /^HTTP\/2 404 /);
    assert.match(await curl(url, "--cacert", caPath), /^HTTP\/2 401 /);
    otaflux.signal("SIGHUP");
    await otaflux.logged("Device tokens are in use", { count: 2 });
    await otaflux.logged("Certificate is in use");
    const warnings = otaflux.records.filter(({ level }) => level === "warn");
    assert.deepEqual(warnings.filter(({ message }) => !message.startsWith("Webhooks")), []);
  });
});

Deno.test("a file of tokens that cannot be used ends the start with status 2 and one line", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "tokens");
    for (
      const [text, line] of [
        [undefined, /cannot read ".*tokens": No such file/],
        ["# none\n", /holds no token, want one a line/],
        ["good\nhunter 2\n", /line 2 of ".*tokens" is neither a bearer token nor user:password/],
      ] as const
    ) {
      if (text !== undefined) await Deno.writeTextFile(file, text);
      const { code, stderr } = await runOtaflux({
        args: ["--layout-dir", folder, "--device-token-file", file],
      });
      assert.equal(code, 2, stderr);
      assert.match(stderr, /^otaflux: --device-token-file: [^\n]+\n$/);
      assert.match(stderr, line);
      assert.doesNotMatch(stderr, /hunter|good/);
    }
  });
});

Deno.test("without anything to read anew SIGHUP ends the service, as when its terminal is closed", async () => {
  await using otaflux = await Otaflux.start({ args: ["--layout-dir", "/"] });
  otaflux.signal("SIGHUP");
  assert.equal((await otaflux.ended()).signal, "SIGHUP");
});
