/**
 * The programs of a town: the only ones that the commands in the documents can call there.
 *
 * @module
 */

import { join } from "node:path";
import { exists } from "../cache.ts";
import { type DebianTool, debianTool, type Unavailable } from "../debian.ts";
import { subjectCommand } from "../subject.ts";

const REPOSITORY = join(import.meta.dirname ?? ".", "..", "..", "..");

/** Programs that are what they are, by the package of Debian that has them. */
export const REAL = {
  bash: "bash",
  cat: "coreutils",
  cmp: "diffutils",
  curl: "curl",
  "docker-registry": "docker-registry",
  git: "git",
  gzip: "gzip",
  install: "coreutils",
  mosquitto_pub: "mosquitto-clients",
  mosquitto_sub: "mosquitto-clients",
  mv: "coreutils",
  od: "coreutils",
  openssl: "openssl",
  rm: "coreutils",
  sh: "dash",
  sha256sum: "coreutils",
  skopeo: "skopeo",
  tail: "coreutils",
  tee: "coreutils",
  tr: "coreutils",
  wc: "coreutils",
  wget: "wget",
} as const;

/** The programs of {@linkcode REAL}, where they are. */
export type RealPrograms = Readonly<Record<keyof typeof REAL, DebianTool>>;

/** The real programs, or why one of them cannot be had. */
export async function realPrograms(): Promise<RealPrograms | Unavailable> {
  const found: Record<string, DebianTool> = {};
  for (const [binary, name] of Object.entries(REAL)) {
    const tool = await debianTool(name, { binary });
    if ("skip" in tool) return tool;
    found[binary] = tool;
  }
  return found as RealPrograms;
}

/** A program that is not run. */
export interface Unplayed {
  /** Why it is not run. */
  readonly reason: string;
  /** The flags that may be shown, by their subcommand. */
  readonly flags: Readonly<Record<string, readonly string[]>>;
}

/** What is shown, and not run here: somebody else's service has to be there, or the machine's own. */
export const UNPLAYED: Readonly<Record<string, Unplayed>> = {
  cosign: {
    reason: "Debian has none; tests/fixtures/cosign/ holds what it makes",
    flags: { "generate-key-pair": [], sign: ["--key", "-a"], "trusted-root create": [] },
  },
  docker: {
    reason: "asks a daemon, and brings images from a hosted registry",
    flags: {
      build: ["-t", "--tag", "-f", "--file", "--build-arg"],
      push: [],
      run: ["-d", "--name", "--read-only", "--cap-drop", "--security-opt", "-p", "-v", "-e"],
      inspect: ["--format"],
      "compose up": ["-f", "--build", "--detach"],
      "compose down": ["-f", "--volumes"],
      "compose exec": ["-f"],
    },
  },
  journalctl: { reason: "reads the machine's own journal", flags: { "": ["-u"] } },
  kubectl: {
    reason: "asks a cluster",
    flags: {
      "create namespace": [],
      "create secret generic": ["-n", "--from-file"],
      apply: ["-n", "-f"],
      "rollout status": ["-n"],
    },
  },
  systemctl: {
    reason: "changes the machine's own services",
    flags: {
      "daemon-reload": [],
      disable: ["--now"],
      edit: [],
      enable: ["--now"],
      restart: [],
      status: [],
    },
  },
  "systemd-analyze": {
    reason: "looks at the machine's own services; tests/deploy/systemd_test.ts runs it with ours",
    flags: { security: [] },
  },
};

/** Tasks of deno.json that are shown, and not run here. */
export const UNPLAYED_TASKS: Readonly<Record<string, string>> = {
  compile:
    "downloads base runtimes; tests/deploy/compile_test.ts runs it as far as it goes without",
  fuzz: "takes minutes; tests/fuzz/ runs less of it",
  generate: "writes into the tree; tests/readme_test.ts compares what it would write",
  ok: "is what runs this",
  test: "is what runs this",
};

/** Where the programs go. */
export interface ProgramsOptions {
  /** Their folder. */
  readonly bin: string;
  /** A folder that gets a file for each call of what is not run: its words, parted by NUL. */
  readonly calls: string;
  /** What is run as it is. */
  readonly real: RealPrograms;
}

/** Writes all programs. */
export async function writePrograms({ bin, calls, real }: ProgramsOptions): Promise<void> {
  const write = (name: string, ...lines: string[]): Promise<void> =>
    Deno.writeTextFile(join(bin, name), ["#!/bin/sh", ...lines, ""].join("\n"), { mode: 0o755 });
  const note = (name: string): string => `printf '%s\\0' ${name} "$@" > '${calls}'/$$`;

  for (const [name, tool] of Object.entries(real)) await write(name, `${execOf(tool)} "$@"`);
  for (const name of Object.keys(UNPLAYED)) await write(name, note(name));
  const { command, args } = await subjectCommand();
  await write("otaflux", `exec ${quoted(command, ...args)} "$@"`);
  const tasks = Object.keys(UNPLAYED_TASKS).map((name) => `"task ${name}"*`).join("|");
  await write(
    "deno",
    `case "$*" in ${tasks}) ${note("deno")}; exit;; esac`,
    `exec ${quoted(Deno.execPath())} "$@"`,
  );
  // To download the Deno that runs this already would prove nothing.
  const wanted = `-y deno@${Deno.version.deno}`;
  await write(
    "npx",
    `[ "$1 $2" = '${wanted}' ] || { echo 'Want npx ${wanted}' >&2; exit 2; }`,
    'shift 2; exec deno "$@"',
  );
  await write("sudo", 'exec "$@"');
  await write("sudoedit", '[ -f "$1" ] && [ -w "$1" ]');
  const standIn = ["run", "-A", "--config", join(REPOSITORY, "deno.json")];
  const oras = await installed("oras");
  await write(
    "oras",
    `exec ${
      oras === undefined
        ? quoted(Deno.execPath(), ...standIn, join(import.meta.dirname ?? ".", "oras.ts"))
        : quoted(oras)
    } "$@"`,
  );
}

function execOf({ path, env }: DebianTool): string {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${quoted(value)} `);
  return `${variables.join("")}exec ${quoted(path)}`;
}

function quoted(...words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
}

async function installed(name: string): Promise<string | undefined> {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    const path = join(folder, name);
    if (folder !== "" && await exists(path)) return path;
  }
}
