import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { dockerImage, orasArtifact } from "../helpers/artifacts.ts";
import { run } from "../helpers/cache.ts";
import { makeCertificates } from "../helpers/certificates.ts";
import { debianTool } from "../helpers/debian.ts";
import { filesOf, withFolder } from "../helpers/disk.ts";
import { DOCKER_REGISTRY_USER, DockerRegistry } from "../helpers/docker_registry.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { crc32Reference, firmwareBytes } from "../helpers/firmware_bytes.ts";
import { writeLayout } from "../helpers/layout.ts";
import { digestOf, manifestOf } from "../helpers/manifest.ts";
import { type Ending, runOtaflux } from "../helpers/otaflux.ts";
import { corrupt, held } from "../helpers/registry/faults.ts";
import { Gate } from "../helpers/registry/gate.ts";
import { subjectCommand } from "../helpers/subject.ts";

const tool = await debianTool("docker-registry");
const BYTES = firmwareBytes(1_000_003, 5);
const { username, password } = DOCKER_REGISTRY_USER;

/** Checks a device of a registry. */
async function checkDevice(
  device: string,
  url: string,
  { args = [], env = {} }: { args?: string[]; env?: Record<string, string> } = {},
): Promise<Ending> {
  return await runOtaflux({
    args: ["check", device, "--registry-url", url, "--repository-prefix", "factory", ...args],
    env: { REGISTRY_USERNAME: username, REGISTRY_PASSWORD: password, ...env },
  });
}

/** A check that has failed: what it says, and what to try. */
function assertFails({ code, stdout, stderr }: Ending, failed: RegExp, advice: RegExp): void {
  assert.deepEqual([code, stderr], [1, ""], stdout + stderr);
  const [, reason = "", next = ""] = /^Failed {5}(.*)\nTry {8}(.*)\n$/m.exec(stdout) ?? [];
  assert.match(reason, failed);
  assert.match(next, advice);
  assert.ok(!stdout.includes(password));
}

function withRegistry(name: string, test: (registry: DockerRegistry) => Promise<void>): void {
  Deno.test({
    name: `docker-registry: check ${name}`,
    ignore: "skip" in tool,
    fn: async () => {
      if ("skip" in tool) return;
      await using registry = await DockerRegistry.start(tool);
      await test(registry);
    },
  });
}

withRegistry("says what a device is served, and ends with 0", async (registry) => {
  const artifact = orasArtifact(BYTES);
  await registry.push("factory/esp32", "v1.2.0", artifact);
  await registry.push("factory/esp32", "latest", artifact);
  assert.deepEqual(await checkDevice("esp32", registry.origin), {
    code: 0,
    stderr: "",
    stdout: [
      `Device     esp32, in repository factory/esp32 of ${registry.origin}`,
      "Tags       2: latest, v1.2.0",
      "Version    tag v1.2.0 is chosen",
      `Digest     ${artifact.digest}`,
      "Kind       an artifact with 1 layer, its config is application/vnd.oci.empty.v1+json",
      `Layer      ${digestOf(BYTES)}, 1000003 bytes of application/vnd.oci.image.layer.v1.tar, ` +
      '"firmware.bin"',
      "Signature  not looked for, see --cosign-pub-key-path",
      "Firmware   1000003 bytes, verified",
      `SHA-256    ${digestOf(BYTES).slice("sha256:".length)}`,
      `CRC-32     ${crc32Reference(BYTES)}`,
      "Result     esp32 is served 1.2.0",
      "",
    ].join("\n"),
  });
});

withRegistry("finds the firmware in an image, and keeps nothing", async (registry) => {
  await registry.push("factory/pump", "2.0.0", await dockerImage({ "firmware.bin": BYTES }));
  await withFolder(async (folder) => {
    const args = ["--cache-dir", folder];
    const { code, stdout } = await checkDevice("pump", registry.origin, { args });
    assert.equal(code, 0);
    assert.match(stdout, /^Kind {7}a container image with 1 layer$/m);
    assert.match(stdout, /^Firmware {3}1000003 bytes, verified$/m);
    assert.deepEqual(await filesOf(folder), []);
  });
});

withRegistry("says what to try where the repository is not as it should be", async (registry) => {
  const check = (device: string): Promise<Ending> => checkDevice(device, registry.origin);
  assertFails(await check("nobody"), /NAME_UNKNOWN$/, /^There is no repository factory\/nobody/);

  const gone = orasArtifact(firmwareBytes(10, 1));
  await registry.push("factory/empty", "1.0.0", gone);
  await registry.deleteManifest("factory/empty", gone.digest);
  assertFails(await check("empty"), /no tag is a version$/, /^The repository is empty/);

  await registry.push("factory/latest", "latest", orasArtifact(firmwareBytes(10, 2)));
  assertFails(await check("latest"), /no tag is a version$/, /^No tag is a semantic version/);

  await registry.push("factory/bare", "1.0.0", manifestOf({ layers: [] }));
  assertFails(await check("bare"), /^Manifest has no layers$/, /^Push the file itself/);

  const args = ["--default-constraint", "^2"];
  await registry.push("factory/old", "1.0.0", orasArtifact(firmwareBytes(10, 3)));
  const unmatched = await checkDevice("old", registry.origin, { args });
  assertFails(unmatched, /\^2/, /--default-constraint and --prerelease$/);

  assertFails(await check("ESP32"), /"ESP32" is no repository name/, /lower-case letters/);
});

withRegistry("says what to try where the registry lets nobody in", async (registry) => {
  await registry.push("factory/esp32", "1.0.0", orasArtifact(firmwareBytes(10, 1)));
  const wrong = await checkDevice("esp32", registry.origin, { env: { REGISTRY_PASSWORD: "no" } });
  assertFails(wrong, /answered 401/, /^Are --registry-username and its password right/);
  const env = { REGISTRY_USERNAME: "", REGISTRY_PASSWORD: "" };
  const nobody = await checkDevice("esp32", registry.origin, { env });
  assertFails(nobody, /answered 401/, /give --registry-username and --registry-password-file$/);
});

withRegistry("says what to try at a wrong address", async (registry) => {
  const overTls = await checkDevice("esp32", registry.host);
  assertFails(overTls, /InvalidContentType/, /begin --registry-url with http:\/\//);
  await registry.stop();
  const silent = await checkDevice("esp32", registry.origin);
  assertFails(silent, /Connection refused/, /^Nobody listens there/);
  const unknown = await checkDevice("esp32", "https://registry.invalid");
  assertFails(unknown, /dns error/, /does not know the registry's name/);
});

Deno.test("docker-registry with TLS: check says what to try without its authority, and by http", {
  ignore: "skip" in tool,
}, async () => {
  if ("skip" in tool) return;
  await withFolder(async (folder) => {
    const { certPath, keyPath, caPath } = await makeCertificates(folder);
    const http = { tls: { certificate: certPath, key: keyPath } };
    await using registry = await DockerRegistry.start(tool, { auth: false, http });
    const unknown = await checkDevice("esp32", `https://${registry.host}`);
    assertFails(unknown, /certificate/, /--registry-ca-cert-path/);
    const plain = await checkDevice("esp32", `http://${registry.host}`);
    assertFails(plain, /answered 400/, /with https:\/\/ where it speaks TLS$/);
    const args = ["--registry-ca-cert-path", caPath];
    const trusted = await checkDevice("esp32", `https://${registry.host}`, { args });
    assertFails(trusted, /NAME_UNKNOWN/, /^There is no repository/);
  });
});

Deno.test("check says what to try where content is not what its digest says", async () => {
  await using registry = new FakeRegistry();
  registry.push("factory/esp32", "1.0.0", orasArtifact(BYTES));
  registry.fault({ match: { kind: "blob" }, respond: corrupt() });
  const ending = await checkDevice("esp32", registry.origin);
  assertFails(ending, /digest/, /^What the registry delivers is not what was pushed/);
  assert.match(ending.stdout, /^Layer {6}sha256:/m);
});

Deno.test("check looks for the signature that the service would ask for, and downloads nothing without", () =>
  withFolder(async (folder) => {
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const key = join(folder, "cosign.pub");
    await Deno.writeTextFile(key, `${publicKey.export({ type: "spki", format: "pem" })}`);
    await using registry = new FakeRegistry();
    registry.push("factory/esp32", "1.0.0", orasArtifact(BYTES));
    const args = ["--cosign-pub-key-path", key];
    const ending = await checkDevice("esp32", registry.origin, { args });
    assertFails(ending, /sign/i, /^Sign the firmware that the version names/);
    assert.match(ending.stdout, /^Signature {2}invalid$/m);
    assert.doesNotMatch(ending.stdout, /^Layer/m);
    assert.equal(registry.count({ kind: "blob" }), 0);
  }));

Deno.test("check says what to try where the address is not a registry's", async () => {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response("Welcome", { headers: { "content-type": "text/html" } }),
  );
  await using _ = server;
  const ending = await checkDevice("esp32", `http://127.0.0.1:${server.addr.port}`);
  assertFails(ending, /not of the expected form/, /^What answers there is not a registry/);
});

Deno.test("check looks into a folder of layouts", () =>
  withFolder(async (folder) => {
    await writeLayout(join(folder, "esp32"), "1.0.0", orasArtifact(BYTES));
    const { code, stdout } = await runOtaflux({ args: ["check", "esp32", "--layout-dir", folder] });
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^Result {5}esp32 is served 1\.0\.0$/m);
  }));

Deno.test("check ends as it would where nobody reads all of it: check … | head -1", async () => {
  await using registry = new FakeRegistry();
  registry.push("factory/esp32", "1.0.0", orasArtifact(BYTES));
  const gate = new Gate();
  registry.fault({ match: { kind: "tags" }, respond: held(gate) });
  const subject = await subjectCommand();
  const flags = ["--registry-url", registry.origin, "--repository-prefix", "factory"];
  const child = new Deno.Command(subject.command, {
    args: [...subject.args, "check", "esp32", ...flags],
    ...{ stdin: "null", stdout: "piped", stderr: "piped" },
  }).spawn();
  await gate.arrived();
  await child.stdout.cancel();
  gate.open();
  const said = await new Response(child.stderr).text();
  assert.deepEqual([(await child.status).code, said], [0, ""]);
});

Deno.test(
  "check draws a bar on a terminal",
  { ignore: Deno.build.os !== "linux" },
  () =>
    withFolder(async (folder) => {
      await writeLayout(join(folder, "esp32"), "1.0.0", orasArtifact(BYTES));
      const subject = await subjectCommand();
      const call = [subject.command, ...subject.args, "check", "esp32", "--layout-dir", folder];
      const quoted = call.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
      // util-linux's, which every Debian has: the command sees a terminal.
      const { success, stdout } = await run("script", { args: ["-qec", quoted, "/dev/null"] });
      assert.ok(success, stdout);
      const drawn = stdout.replaceAll("\r\x1b[K", "CLEAR");
      assert.match(drawn, /\[#{30}\] 100 % {2}1\.0 of 1\.0 MBCLEAR/);
      assert.match(stdout, /^Result {5}esp32 is served 1\.0\.0\r$/m);
    }),
);
