/** The files that the documents show are such as their programs read. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { orasArtifact } from "../helpers/artifacts.ts";
import { run } from "../helpers/cache.ts";
import { debianTool } from "../helpers/debian.ts";
import { withFolder } from "../helpers/disk.ts";
import { DockerRegistry } from "../helpers/docker_registry.ts";
import { type Block, blocksOf, documents } from "../helpers/documents.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { freePort } from "../helpers/free_port.ts";
import { TextLineStream } from "../helpers/lines.ts";
import { Otaflux, runOtaflux } from "../helpers/otaflux.ts";
import { pushArtifact } from "../helpers/push.ts";
import { UNPLAYED } from "../helpers/town/programs.ts";

const dockerRegistry = await debianTool("docker-registry");
const nginx = await debianTool("nginx");
const systemdAnalyze = await debianTool("systemd", { binary: "systemd-analyze" });

const blocks = [...await documents()].flatMap(([document, text]) => blocksOf(document, text));

/** The one block of a kind in a document. */
function fileIn(document: string, kind: string): string {
  const found = blocks.filter((block) => block.document === document && block.kind === kind);
  assert.equal(found.length, 1, `${document} has ${found.length} blocks of the kind ${kind}`);
  return found[0]?.text ?? "";
}

/** What checks the blocks of a kind, in which documents: `undefined` is all of them. */
const CHECKED: Readonly<Record<string, readonly string[] | undefined>> = {
  // tests/docs/commands_test.ts runs them.
  sh: undefined,
  console: undefined,
  // Pictures, logs and lists of files, for people.
  text: undefined,
  json: ["docs/devices.md"],
  // commands_test.ts starts a registry with the first one.
  yaml: ["docs/firmware.md", "docs/webhooks.md"],
  nginx: ["docs/devices.md"],
  ini: ["docs/deployment.md"],
};

const at = ({ document, line, kind }: Block): string => `${document}:${line} "${kind}"`;

Deno.test("every fenced block is of a kind, and in a document, whose blocks are checked", () => {
  const isChecked = ({ kind, document }: Block): boolean =>
    Object.hasOwn(CHECKED, kind) && CHECKED[kind]?.includes(document) !== false;
  assert.deepEqual(blocks.filter((block) => !isChecked(block)).map(at), []);
  assert.ok(blocks.length > 30);
});

Deno.test("no block of text hides a command", () => {
  const programs = ["\\$", "#!", "otaflux", "deno", "npx", "curl", "oras", "sudo"];
  const command = new RegExp(`^(${[...programs, ...Object.keys(UNPLAYED)].join("|")}) `, "m");
  const hiding = blocks.filter(({ kind, text }) => kind === "text" && command.test(text));
  assert.deepEqual(hiding.map(at), []);
});

Deno.test("docs/devices.md shows of /version.json what is answered", async () => {
  const shown = JSON.parse(fileIn("docs/devices.md", "json"));
  await using registry = new FakeRegistry();
  const annotations = { "org.opencontainers.image.title": "Garden pump" };
  registry.push("esp32-garden", "v1.2.3", orasArtifact(firmwareBytes(1000), { annotations }));
  await using otaflux = await Otaflux.start({ args: ["--registry-url", registry.origin] });
  const answer = await (await fetch(`${otaflux.origin}/version.json?device=esp32-garden`)).json();
  const kinds = (object: Record<string, unknown>): Record<string, string> =>
    Object.fromEntries(
      Object.entries(object).map(([name, value]) => [
        name,
        Array.isArray(value) ? "array" : typeof value,
      ]),
    );
  assert.deepEqual(Object.entries(kinds(shown)), Object.entries(kinds(answer)));
  for (const name of ["device", "version", "tag", "url"]) assert.equal(shown[name], answer[name]);
});

Deno.test("docker-registry with what docs/webhooks.md says tells of a push, and is believed", {
  ignore: "skip" in dockerRegistry,
}, () =>
  withFolder(async (folder) => {
    if ("skip" in dockerRegistry) return;
    const secret = join(folder, "secret");
    await Deno.writeTextFile(secret, "SECRET\n");
    const port = freePort();
    const origin = `http://127.0.0.1:${port}`;
    await using otaflux = await Otaflux.start({
      args: ["--registry-url", origin, "--webhook-secret-file", secret],
    });
    const config = join(folder, "config.yml");
    const shown = fileIn("docs/webhooks.md", "yaml");
    await Deno.writeTextFile(
      config,
      `version: 0.1\nstorage: { filesystem: { rootdirectory: ${folder}/registry } }\n` +
        `http: { addr: "127.0.0.1:${port}" }\n` +
        shown.replace("https://ota.example.com", otaflux.origin),
    );
    await using registry = await startRegistry(dockerRegistry.path, config);
    assert.ok(registry);
    const target = { registryUrl: origin, repository: "esp32-garden" };
    await pushArtifact(target, "1.0.0", orasArtifact(firmwareBytes(1000)));
    await otaflux.logged("Event is carried out", { device: "esp32-garden" });
    assert.ok(!otaflux.records.some(({ message }) => message === "Webhook is refused"));
  }));

Deno.test("a certificate made as docs/firmware.md says is trusted where it is named", {
  ignore: "skip" in dockerRegistry,
}, () =>
  withFolder(async (folder) => {
    if ("skip" in dockerRegistry) return;
    const command = blocks.find(({ text }) => text.startsWith("openssl "))?.text ?? "";
    const made = await run("bash", {
      args: ["-e", "-c", command.replaceAll("gateway.lan", "localhost")],
      cwd: folder,
    });
    assert.ok(made.success, made.stderr);
    const [certificate, key] = [join(folder, "registry.pem"), join(folder, "registry.key")];
    await using registry = await DockerRegistry.start(dockerRegistry, {
      auth: false,
      http: { tls: { certificate, key } },
    });
    const url = `https://${registry.host.replace("127.0.0.1", "localhost")}`;
    const check = async (...args: string[]): Promise<string> =>
      (await runOtaflux({ args: ["check", "pump", "--registry-url", url, ...args] })).stdout;
    assert.match(await check(), /UnknownIssuer/);
    assert.match(await check("--registry-ca-cert-path", certificate), /NAME_UNKNOWN/);
  }));

/** Starts a registry, and waits until it listens. @throws {Error} It ends instead */
async function startRegistry(path: string, config: string): Promise<AsyncDisposable> {
  const process = new Deno.Command(path, {
    args: ["serve", config],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const lines = process.stderr
    .pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  const listening = Promise.withResolvers<boolean>();
  const reading = (async (): Promise<void> => {
    for await (const line of lines) if (line.includes("listening on")) listening.resolve(true);
    listening.resolve(false);
  })();
  if (!await listening.promise) throw new Error(`Cannot start a registry with ${config}`);
  return {
    [Symbol.asyncDispose]: async () => {
      process.kill("SIGTERM");
      await Promise.all([process.status, reading]);
    },
  };
}

Deno.test("nginx takes the lines in docs/devices.md where they say that they belong", {
  ignore: "skip" in nginx,
}, () =>
  withFolder(async (folder) => {
    if ("skip" in nginx) return;
    const [inHttp = "", inServer = ""] = fileIn("docs/devices.md", "nginx")
      .replace("/var/cache/nginx", folder).replace("http://otaflux:", "http://127.0.0.1:")
      .split("# In server { … }:");
    const config = join(folder, "nginx.conf");
    await Deno.writeTextFile(
      config,
      `pid ${folder}/pid; error_log stderr; events {}
      http { access_log off; ${inHttp}
        server { listen 127.0.0.1:${freePort()}; ${inServer} }
      }`,
    );
    const { success, stderr } = await run(nginx.path, {
      args: ["-t", "-e", "stderr", "-c", config],
      env: { ...nginx.env },
    });
    assert.ok(success, stderr);
  }));

Deno.test("systemd takes the drop-in of docs/deployment.md", {
  ignore: "skip" in systemdAnalyze || !(await canAnalyze()),
}, () =>
  withFolder(async (folder) => {
    if ("skip" in systemdAnalyze) return;
    const unit = join(folder, "otaflux.service");
    await Deno.writeTextFile(unit, "[Service]\nExecStart=/bin/true\n");
    await Deno.mkdir(`${unit}.d`);
    await Deno.writeTextFile(
      join(`${unit}.d`, "override.conf"),
      fileIn("docs/deployment.md", "ini"),
    );
    const { stderr } = await run(systemdAnalyze.path, {
      args: ["--no-pager", "verify", unit],
      env: { ...systemdAnalyze.env },
    });
    assert.equal(stderr, "");
  }));

/** One that was unpacked only may miss libraries. */
async function canAnalyze(): Promise<boolean> {
  if ("skip" in systemdAnalyze) return false;
  const { path, env } = systemdAnalyze;
  return (await run(path, { args: ["--version"], env: { ...env } })).success;
}
