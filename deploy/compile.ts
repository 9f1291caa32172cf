/**
 * Makes the executables in `dist/` and their checksums: `deno task compile`.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import meta from "../deno.json" with { type: "json" };
import { COMMIT_VARIABLE } from "../src/config/settings.ts";

const REPOSITORY = join(import.meta.dirname ?? ".", "..");

/** The architectures that gateways have, by the name that `uname -m` gives them. */
const TARGETS: Readonly<Record<string, string>> = {
  x86_64: "x86_64-unknown-linux-gnu",
  aarch64: "aarch64-unknown-linux-gnu",
};

/**
 * The flags of `deno run` in the task `start`: what the service may do is written down there, and
 * holds for the executables as well.
 */
export function serviceFlags(): string[] {
  const { command } = meta.tasks.start;
  const [, flags] = /^deno run (--.+) main\.ts$/.exec(command) ?? [];
  if (flags === undefined) {
    throw new CompileError(
      `The task "start" in deno.json is "${command}", but should be "deno run --FLAGS main.ts"`,
    );
  }
  return flags.split(/\s+/);
}

/** Why nothing was made, as one sentence for the person who asked. */
class CompileError extends Error {}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** What was asked for. */
interface Wish {
  readonly targets: readonly string[];
  /** The folder that the executables go into. */
  readonly out: string;
}

function readWish(args: string[]): Wish {
  const { target, out = join(REPOSITORY, "dist") } = readFlags(args);
  return { targets: wantedTargets(target), out: resolve(out) };
}

function readFlags(args: string[]): { target?: string; out?: string } {
  try {
    const options = { target: { type: "string" }, out: { type: "string" } } as const;
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new CompileError(error instanceof Error ? error.message : String(error));
  }
}

/** The architecture that was asked for, or all; a base runtime of the user's own fits only one. */
function wantedTargets(target: string | undefined): string[] {
  const all = Object.keys(TARGETS);
  if (target !== undefined && !all.includes(target)) {
    throw new CompileError(`--target is "${target}", but should be ${all.join(" or ")}`);
  }
  if (!Deno.env.get("DENORT_BIN")) return target === undefined ? all : [target];
  if (target !== undefined && target !== Deno.build.arch) {
    throw new CompileError(
      `--target is "${target}", but DENORT_BIN is taken for this machine's ${Deno.build.arch}: ` +
        `unset it`,
    );
  }
  say(`DENORT_BIN is set: making the executable for this machine's ${Deno.build.arch} only`);
  return [Deno.build.arch];
}

/**
 * Names the state of the source: what `OTAFLUX_COMMIT` says, where there is no history to ask as in
 * an image's build, else what git does.
 *
 * @returns A commit, with `-dirty` where files differ from it; undefined where nobody knows.
 */
async function commit(): Promise<string | undefined> {
  const told = Deno.env.get(COMMIT_VARIABLE);
  if (told) return told;
  try {
    const { success, stdout } = await new Deno.Command("git", {
      args: ["describe", "--always", "--dirty", "--exclude=*", "--abbrev=12"],
      cwd: REPOSITORY,
      stdin: "null",
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** How {@linkcode makeExecutable} makes one. */
interface Making {
  /** The folder that it goes into. */
  readonly out: string;
  /** A file of variables that it brings along. */
  readonly environment: string;
  /** The base runtime's file. @default `DENORT_BIN`, else it is downloaded */
  readonly baseRuntime?: string | undefined;
}

/**
 * Makes one executable with the service's permissions baked in.
 *
 * @param target Its architecture.
 * @param making Where, and with which variables.
 * @returns Its path.
 * @throws {CompileError} It cannot be made.
 */
export async function makeExecutable(
  target: string,
  { out, environment, baseRuntime = Deno.env.get("DENORT_BIN") }: Making,
): Promise<string> {
  const path = join(out, `otaflux-${meta.version}-linux-${target}`);
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    cwd: REPOSITORY,
    // Frozen: what was tested is what is shipped, or nothing.
    // deno-fmt-ignore
    args: [
      "compile", "--frozen", "--bundle", "--minify", ...serviceFlags(), `--env-file=${environment}`,
      "--target", TARGETS[target] ?? target, "--output", path, "main.ts",
    ],
    env: { NO_COLOR: "1", ...(baseRuntime && { DENORT_BIN: baseRuntime }) },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (success) return path;
  const reason = new TextDecoder().decode(stderr).trim();
  // The step of deno compile in which it downloads, or reads, the base runtime.
  if (reason.includes("Setting up base binary") || reason.includes("Could not find denort")) {
    throw new CompileError(
      baseRuntime
        ? `DENORT_BIN is "${baseRuntime}", but there is no such file: set it to the base runtime ` +
          `(denort) of Deno ${Deno.version.deno}`
        : await explainDownload(target, reason),
    );
  }
  throw new CompileError(`Cannot compile main.ts for ${target}:\n${reason}`);
}

/** Says why a base runtime could not be downloaded, and how it gets there all the same. */
async function explainDownload(target: string, reason: string): Promise<string> {
  // The first of the causes has all that the others have.
  const [, cause = reason] = /Setting up base binary\.\n *\d+: (.+)/.exec(reason) ?? [];
  const version = Deno.version.deno;
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  const { denoDir } = JSON.parse(new TextDecoder().decode(stdout));
  return `Cannot download the base runtime of Deno ${version} for ${target}: ${cause}
Behind a proxy, set HTTPS_PROXY. Without a network, bring denort-${TARGETS[target]}.zip from
https://github.com/denoland/deno/releases/tag/v${version}, put it as it is into
${join(denoDir, "dl", "release", `v${version}`)}, and run this again.`;
}

/** A base runtime of another version compiles without complaint, into something that is not us. */
async function checkStarts(path: string): Promise<void> {
  const { stdout, stderr } = await new Deno.Command(path, {
    args: ["--version"],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const answer = new TextDecoder().decode(stdout.length > 0 ? stdout : stderr).trim();
  if (answer.includes(meta.version)) return;
  await Deno.remove(path);
  throw new CompileError(
    `${path} --version answers "${answer.split("\n")[0]}" and not "${meta.version}": is ` +
      `DENORT_BIN the base runtime (denort) of Deno ${Deno.version.deno}?`,
  );
}

async function main(): Promise<void> {
  const wish = readWish(Deno.args);
  await Deno.mkdir(wish.out, { recursive: true });
  const environment = await Deno.makeTempFile({ prefix: "otaflux-", suffix: ".env" });
  try {
    await Deno.writeTextFile(environment, `${COMMIT_VARIABLE}=${await commit() ?? ""}\n`);
    await makeAll(wish, environment);
  } finally {
    await Deno.remove(environment);
  }
}

/** Makes all executables with the variables of a file baked in, and writes their checksums. */
async function makeAll({ targets, out }: Wish, environment: string): Promise<void> {
  const paths: string[] = [];
  for (const target of targets) {
    const path = await makeExecutable(target, { out, environment });
    if (Deno.build.os === "linux" && target === Deno.build.arch) await checkStarts(path);
    const { size } = await Deno.stat(path);
    say(`Made ${path} (${Math.round(size / 2 ** 20)} MiB)`);
    paths.push(path);
  }
  await Deno.writeTextFile(join(out, "SHA256SUMS"), await checksums(paths));
}

/**
 * Sums files up as `sha256sum` does, so that `sha256sum -c` beside them finds them whole.
 *
 * @param paths The files.
 * @returns A line for each.
 */
export async function checksums(paths: readonly string[]): Promise<string> {
  let sums = "";
  for (const path of paths) {
    const digest = createHash("sha256").update(await Deno.readFile(path)).digest("hex");
    sums += `${digest}  ${basename(path)}\n`;
  }
  return sums;
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    Deno.stderr.writeSync(new TextEncoder().encode(`${error.message}\n`));
    Deno.exit(1);
  }
}
