import assert from "node:assert/strict";
import { join } from "node:path";
import meta from "../../deno.json" with { type: "json" };
import { orasArtifact } from "../helpers/artifacts.ts";
import { run } from "../helpers/cache.ts";
import { makeCertificates } from "../helpers/certificates.ts";
import { debianTool } from "../helpers/debian.ts";
import { withFolder } from "../helpers/disk.ts";
import { DockerRegistry } from "../helpers/docker_registry.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { writeLayout } from "../helpers/layout.ts";
import { Otaflux, runOtaflux } from "../helpers/otaflux.ts";
import { RawConnection } from "../helpers/raw_http.ts";
import { SUBJECT_COMMIT, SUBJECT_MAKES_ANY_FOLDER } from "../helpers/subject.ts";

const FIRMWARE = firmwareBytes(2_000_000, 8);

Deno.test("--version and --help are printed and end with status 0", async () => {
  const version = await runOtaflux({ args: ["--version"] });
  const commit = SUBJECT_COMMIT === undefined ? "" : ` (commit ${SUBJECT_COMMIT})`;
  const stdout = `otaflux ${meta.version}${commit}\n`;
  assert.deepEqual(version, { code: 0, stdout, stderr: "" });
  const help = await runOtaflux({ args: ["--help"] });
  assert.equal(help.code, 0);
  assert.match(help.stdout, /--registry-url <url>/);
});

Deno.test("a wrong call ends with status 2 and one line", async () => {
  const calls: readonly (readonly [readonly string[], Record<string, string>, RegExp])[] = [
    [[], {}, /want --registry-url or --layout-dir/],
    [["--layout-dir", "/nowhere"], {}, /--layout-dir: "\/nowhere" .* folder/],
    [["--cache-size", "many"], {}, /--cache-size: "many" .* whole number of devices/],
    [[], { REFRESH_INTERVAL: "soon" }, /REFRESH_INTERVAL: "soon" .* 60s/],
    [["--registry-password-file", "/nowhere"], { REGISTRY_URL: "h" }, /cannot read "\/nowhere"/],
    [["--registry-pasword=hunter2"], {}, /Unknown option '--registry-pasword=…'/],
    [["--layout-dir", "/", "--public-url", "http://a"], {}, /--public-url .* want --mqtt-url/],
    [["--wings"], {}, /Unknown option '--wings', want one of those that --help lists/],
  ];
  for (const [args, env, line] of calls) {
    const { code, stdout, stderr } = await runOtaflux({ args, env });
    assert.equal(code, 2, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /^otaflux: [^\n]+\n$/);
    assert.match(stderr, line);
    assert.ok(!stderr.includes("hunter2"));
  }
});

Deno.test("what says nothing without other settings is named at the start", async () => {
  const env = { MQTT_USERNAME: "otaflux" };
  await using otaflux = await Otaflux.start({ args: ["--layout-dir", "/"], env });
  await otaflux.logged("Settings do not fit together", {
    reason: "MQTT_USERNAME says nothing without a broker, want --mqtt-url as well",
  });
  const { stderr } = await runOtaflux({ args: ["check", "nobody", "--layout-dir", "/"], env });
  assert.match(stderr, /^otaflux: MQTT_USERNAME says nothing [^\n]+\n$/);
});

Deno.test("a port that is taken ends with status 1 and one line", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${taken.addr.port}`;
  const { code, stderr } = await runOtaflux({
    args: ["--layout-dir", "/", "--listen-addr", address],
  });
  assert.equal(code, 1);
  assert.match(
    stderr,
    new RegExp(
      `^otaflux: Cannot listen on ${address}: [^\n]+; end what listens there, or take another port: see --listen-addr and [^\n]+\n$`,
    ),
  );
});

Deno.test("a path that no program may use is said to be one, in words of ours", async () => {
  const calls: readonly (readonly [flag: string, path: string, status: number])[] = [
    ["--webhook-secret-file", "/dev/stdin", 2],
    ["--device-token-file", "/dev/stdin", 2],
    ...(SUBJECT_MAKES_ANY_FOLDER ? [] : [["--cache-dir", "/proc/x", 1] as const]),
  ];
  for (const [flag, path, status] of calls) {
    const { code, stderr } = await runOtaflux({ args: ["--layout-dir", "/", flag, path] });
    assert.equal(code, status);
    assert.match(
      stderr,
      /^otaflux: [^\n]+: OtaFlux uses nothing below \/proc, \/sys, \/dev, [^\n]+\n$/,
    );
    assert.match(stderr, new RegExp(flag));
  }
});

Deno.test("it listens on IPv6, too", async () => {
  await using otaflux = await Otaflux.start({
    args: ["--layout-dir", "/", "--listen-addr", "[::1]:0"],
  });
  const response = await fetch(`http://[::1]:${otaflux.port}/health`);
  assert.equal(response.status, 200);
  await response.body?.cancel();
});

Deno.test("without a signal it stays, and after one lets requests end and exits with status 0", async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    await using registry = new FakeRegistry();
    registry.push("pump", "1.0.0", orasArtifact(FIRMWARE));
    const gate = registry.gate({ kind: "blob" });
    await using otaflux = await Otaflux.start({ args: ["--registry-url", registry.origin] });
    using idle = await RawConnection.open(otaflux.port);
    await idle.ask("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
    const underWay = fetch(`${otaflux.origin}/firmware?device=pump`);
    await gate.arrived(1);
    otaflux.signal(signal);
    await otaflux.logged("Signal received");
    await assert.rejects(fetch(`${otaflux.origin}/health`), TypeError);
    gate.open();
    const response = await underWay;
    assert.deepEqual(await response.bytes(), FIRMWARE);
    assert.equal((await otaflux.ended()).code, 0);
  }
});

Deno.test("a reader that does not read cannot keep it from ending", async () => {
  await using registry = new FakeRegistry();
  // More than all buffers on the way take.
  registry.push("pump", "1.0.0", orasArtifact(firmwareBytes(64 * 1024 * 1024, 1)));
  await using otaflux = await Otaflux.start({ args: ["--registry-url", registry.origin] });
  using connection = await RawConnection.open(otaflux.port);
  await connection.send("GET /firmware?device=pump HTTP/1.1\r\nHost: x\r\n\r\n");
  await otaflux.logged("Fetched firmware");
  otaflux.signal("SIGTERM");
  assert.equal((await otaflux.ended()).code, 0);
  assert.ok(otaflux.records.some(({ message }) => message === "Requests were cut off"));
});

Deno.test("a layout that skopeo wrote is served as it is", {
  ignore: "skip" in await debianTool("skopeo") || "skip" in await debianTool("docker-registry"),
}, async () => {
  const [skopeo, tool] = [await debianTool("skopeo"), await debianTool("docker-registry")];
  if ("skip" in skopeo || "skip" in tool) return;
  await using registry = await DockerRegistry.start(tool, { auth: false });
  await registry.push("gateway", "1.4.0", orasArtifact(FIRMWARE));
  await withFolder(async (folder) => {
    const source = `docker://${registry.host}/gateway:1.4.0`;
    const copy = ["--insecure-policy", "copy", "--src-tls-verify=false", source];
    const { success, stderr } = await run(skopeo.path, {
      args: [...copy, `oci:${folder}/gateway:1.4.0`],
      env: skopeo.env,
    });
    assert.ok(success, stderr);
    await using otaflux = await Otaflux.start({ args: ["--layout-dir", folder] });
    const version = await fetch(`${otaflux.origin}/version?device=gateway`);
    assert.match(await version.text(), /^1\.4\.0\n\d+\n2000000$/);
    const firmware = await fetch(`${otaflux.origin}/firmware?device=gateway`);
    assert.deepEqual(await firmware.bytes(), FIRMWARE);
  });
});

Deno.test("a layout is followed as it changes", async () => {
  await withFolder(async (folder) => {
    await writeLayout(join(folder, "a/b"), "1.0.0", orasArtifact(FIRMWARE));
    await using otaflux = await Otaflux.start({
      env: { LAYOUT_DIR: folder, REFRESH_INTERVAL: "0" },
    });
    const versionOf = async (): Promise<string> =>
      (await (await fetch(`${otaflux.origin}/version?device=a/b`)).text()).split("\n")[0] ?? "";
    assert.equal(await versionOf(), "1.0.0");
    await writeLayout(join(folder, "a/b"), "1.0.1", orasArtifact(firmwareBytes(10, 1)));
    assert.equal(await versionOf(), "1.0.1");
  });
});

Deno.test("a registry behind a private certificate authority is trusted only where it is named", async () => {
  await withFolder(async (folder) => {
    const { caPath, certPath, keyPath } = await makeCertificates(folder);
    await using registry = new FakeRegistry();
    registry.push("pump", "1.0.0", orasArtifact(FIRMWARE));
    await using proxy = Deno.serve({
      hostname: "localhost",
      port: 0,
      cert: await Deno.readTextFile(certPath),
      key: await Deno.readTextFile(keyPath),
      onListen: () => {},
    }, (request) => fetch(registry.origin + new URL(request.url).pathname));
    const args = ["--registry-url", `localhost:${proxy.addr.port}`];
    const statusWith = async (...more: string[]): Promise<number> => {
      await using otaflux = await Otaflux.start({ args: [...args, ...more] });
      const response = await fetch(`${otaflux.origin}/firmware?device=pump`);
      await response.body?.cancel();
      return response.status;
    };
    assert.equal(await statusWith(), 502);
    assert.equal(await statusWith("--registry-ca-cert-path", caPath), 200);
  });
});
