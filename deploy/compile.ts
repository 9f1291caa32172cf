/**
 * Makes the executables in `dist/` and their checksums: `deno task compile`.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { parseArgs } from "node:util";
import meta from "../deno.json" with { type: "json" };

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

/** The architectures that were asked for, or all; a base runtime of the user's own fits only one. */
function wantedTargets(args: string[]): string[] {
  const target = targetFlag(args);
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

function targetFlag(args: string[]): string | undefined {
  try {
    return parseArgs({ args, options: { target: { type: "string" } } }).values.target;
  } catch (error) {
    throw new CompileError(error instanceof Error ? error.message : String(error));
  }
}

/** Makes one executable with the service's permissions baked in, and gives its path. */
async function compile(target: string): Promise<string> {
  const path = join("dist", `otaflux-${meta.version}-linux-${target}`);
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    cwd: REPOSITORY,
    // Frozen: what was tested is what is shipped, or nothing.
    // deno-fmt-ignore
    args: [
      "compile", "--frozen", "--bundle", "--minify", ...serviceFlags(),
      "--target", TARGETS[target] ?? target, "--output", path, "main.ts",
    ],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (success) return path;
  const reason = new TextDecoder().decode(stderr).trim();
  // The step of deno compile in which it downloads, or reads, the base runtime.
  if (reason.includes("Setting up base binary") || reason.includes("Could not find denort")) {
    const own = Deno.env.get("DENORT_BIN");
    throw new CompileError(
      own
        ? `DENORT_BIN is "${own}", but there is no such file: set it to the base runtime ` +
          `(denort) of Deno ${Deno.version.deno}`
        : `Cannot download the base runtime of Deno ${Deno.version.deno} for ${target}: set ` +
          `DENORT_BIN to its file (denort of the same version and architecture)`,
    );
  }
  throw new CompileError(`Cannot compile main.ts for ${target}:\n${reason}`);
}

/** A base runtime of another version compiles without complaint, into something that is not us. */
async function checkStarts(path: string): Promise<void> {
  const { stdout, stderr } = await new Deno.Command(join(REPOSITORY, path), {
    args: ["--version"],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const answer = new TextDecoder().decode(stdout.length > 0 ? stdout : stderr).trim();
  if (answer.includes(meta.version)) return;
  await Deno.remove(join(REPOSITORY, path));
  throw new CompileError(
    `${path} --version answers "${answer.split("\n")[0]}" and not "${meta.version}": is ` +
      `DENORT_BIN the base runtime (denort) of Deno ${Deno.version.deno}?`,
  );
}

async function main(): Promise<void> {
  const targets = wantedTargets(Deno.args);
  await Deno.mkdir(join(REPOSITORY, "dist"), { recursive: true });
  let sums = "";
  for (const target of targets) {
    const path = await compile(target);
    if (Deno.build.os === "linux" && target === Deno.build.arch) await checkStarts(path);
    const bytes = await Deno.readFile(join(REPOSITORY, path));
    const digest = createHash("sha256").update(bytes).digest("hex");
    sums += `${digest}  ${path.slice("dist/".length)}\n`;
    say(`Made ${path} (${Math.round(bytes.length / 2 ** 20)} MiB)`);
  }
  await Deno.writeTextFile(join(REPOSITORY, "dist", "SHA256SUMS"), sums);
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
