import assert from "node:assert/strict";
import { join } from "node:path";
import { checksums, makeExecutable } from "../../deploy/compile.ts";
import { type Finished, run } from "../helpers/cache.ts";
import { withFolder } from "../helpers/disk.ts";
import { freePort } from "../helpers/free_port.ts";

const REPOSITORY = join(import.meta.dirname ?? ".", "..", "..");

async function compile(args: string[], env: Record<string, string> = {}): Promise<Finished> {
  return await run(Deno.execPath(), {
    args: ["run", "-A", "deploy/compile.ts", ...args],
    cwd: REPOSITORY,
    env,
  });
}

/** What an executable brings along for its start, in Deno's words. */
interface Metadata {
  readonly permissions: Readonly<Record<string, unknown>>;
  readonly env_vars_from_env_file: Readonly<Record<string, string>>;
}

function metadataOf(executable: Uint8Array): Metadata {
  const text = new TextDecoder("latin1").decode(executable);
  const [, permissions = "", variables = ""] =
    /"permissions":(\{[^}]*\}).*?"env_vars_from_env_file":(\{[^}]*\})/.exec(text) ?? [];
  return { permissions: JSON.parse(permissions), env_vars_from_env_file: JSON.parse(variables) };
}

async function names(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).toSorted();
}

Deno.test("checksums() are what sha256sum checks, and notice a changed file", async () => {
  await withFolder(async (folder) => {
    const paths = ["one", "two"].map((name) => join(folder, name));
    for (const path of paths) await Deno.writeTextFile(path, path);
    await Deno.writeTextFile(join(folder, "SHA256SUMS"), await checksums(paths));
    const check = (): Promise<Finished> =>
      run("sha256sum", { args: ["-c", "--strict", "SHA256SUMS"], cwd: folder });
    assert.equal((await check()).stdout, "one: OK\ntwo: OK\n");
    await Deno.writeTextFile(join(folder, "two"), "something else");
    assert.equal((await check()).success, false);
  });
});

Deno.test("deno task compile says why there is no base runtime, and where to put one", {
  // Whoever has one downloads none.
  ignore: Deno.env.has("DENORT_BIN"),
}, async () => {
  await withFolder(async (folder) => {
    // With the packages of before, but without base runtimes.
    const { stdout } = await run(Deno.execPath(), { args: ["info", "--json"] });
    await Deno.symlink(join(JSON.parse(stdout).denoDir, "npm"), join(folder, "npm"));
    const nobody = `http://127.0.0.1:${freePort()}`;
    const registry = Deno.env.get("NPM_CONFIG_REGISTRY");
    const { success, stderr } = await compile(["--target", "aarch64", "--out", folder], {
      DENO_DIR: folder,
      HTTPS_PROXY: nobody,
      // What makes bundles is a package, from below .org unless it is said otherwise.
      NO_PROXY: registry === undefined ? "org" : new URL(registry).hostname,
    });
    assert.equal(success, false);
    const [problem = "", ...advice] = stderr.trimEnd().split("\n");
    assert.match(
      problem,
      /^Cannot download the base runtime of Deno [\d.]+ for aarch64: error sen/,
    );
    assert.match(problem, /denort-aarch64-unknown-linux-gnu\.zip\).*refused/);
    const place = join(folder, "dl", "release", `v${Deno.version.deno}`);
    assert.ok(advice.some((line) => line.startsWith(place)), stderr);
    assert.match(advice.join(" "), /bring denort-aarch64-unknown-linux-gnu\.zip from https:/);
  });
});

Deno.test("deno task compile makes nothing of a base runtime that is not Deno's", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  await withFolder(async (folder) => {
    const { success, stderr } = await compile(["--out", folder], { DENORT_BIN: "/bin/true" });
    assert.equal(success, false);
    assert.match(stderr, /--version answers "[^"]*" and not "[\d.]+": is DENORT_BIN the base/);
    assert.deepEqual(await names(folder), []);
  });
});

Deno.test("makeExecutable() bakes in the service's permissions, the commit, and no more", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  await withFolder(async (out) => {
    const environment = join(out, "commit.env");
    await Deno.writeTextFile(environment, "OTAFLUX_COMMIT=fedcba987654\n");
    const path = await makeExecutable(Deno.build.arch, {
      out,
      environment,
      // Any program will do: what Deno adds to it is read here as Deno's own runtime would.
      baseRuntime: "/bin/true",
    });
    const metadata = metadataOf(await Deno.readFile(path));
    assert.deepEqual(metadata.env_vars_from_env_file, { OTAFLUX_COMMIT: "fedcba987654" });
    // Deno by itself allows some hosts to import from: the denial is what counts.
    const { allow_env: variables, allow_import: _, ...permissions } = metadata.permissions;
    const granted = Object.entries(permissions).filter(([, value]) => value !== null);
    // An empty list stands for everything of its kind.
    assert.deepEqual(Object.fromEntries(granted), {
      allow_net: [],
      allow_read: [],
      allow_write: [],
      deny_import: [],
      // What libraries ask for and are told that it is not there.
      ignore_env: ["DEBUG", "READABLE_STREAM", "WS_NO_BUFFER_UTIL", "WS_NO_UTF_8_VALIDATE"],
      prompt: false,
    });
    assert.ok(Array.isArray(variables) && variables.includes("REGISTRY_URL"));
  });
});

Deno.test("deno task compile says which targets there are", async () => {
  const { success, stderr } = await compile(["--target", "riscv64"]);
  assert.equal(success, false);
  assert.equal(stderr, '--target is "riscv64", but should be x86_64 or aarch64\n');
});
