import assert from "node:assert/strict";
import { join } from "node:path";
import { completions, isShell, SHELLS } from "../../src/config/completions.ts";
import { flagOf, type Setting, SETTINGS } from "../../src/config/settings.ts";
import { LOG_LEVELS } from "../../src/log.ts";
import { run } from "../helpers/cache.ts";
import { type DebianTool, debianTool } from "../helpers/debian.ts";

const FLAGS = Object.keys(SETTINGS).map(flagOf);
const COMMANDS = ["check", "completions", "healthcheck"];

/** Runs `test` in a folder with the shell's script, and a file to complete. */
async function withScript(
  shell: (typeof SHELLS)[number],
  test: (folder: string, script: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "otaflux-completions-" });
  try {
    const script = join(folder, `script.${shell}`);
    await Deno.writeTextFile(script, completions(shell));
    await Deno.writeTextFile(join(folder, "pass word"), "");
    await test(folder, script);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What bash would offer after these words, the last of which is not complete. */
async function bashOffers(words: readonly string[]): Promise<string[]> {
  let offered: string[] = [];
  await withScript("bash", async (folder, script) => {
    // As readline calls it; \`compopt\` works under readline only.
    const call = `
      compopt() { :; }
      source "$1"; shift
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
      _otaflux
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { success, stdout, stderr } = await run("bash", {
      args: ["-euo", "pipefail", "-c", call, "bash", script, "otaflux", ...words],
      cwd: folder,
    });
    assert.ok(success, stderr);
    offered = stdout.split("\n").filter((line) => line !== "").toSorted();
  });
  return offered;
}

/** What fish would offer after this line, without descriptions. */
async function fishOffers(fish: DebianTool, line: string): Promise<string[]> {
  let offered: string[] = [];
  await withScript("fish", async (folder, script) => {
    // A fish that is not installed would look for its own functions where Debian puts them.
    const functions = join(fish.root, "usr/share/fish/functions");
    const call = "set -p fish_function_path $argv[1]; source $argv[2]; complete -C $argv[3]";
    const { success, stdout, stderr } = await run(fish.path, {
      args: ["--no-config", "-c", call, functions, script, line],
      cwd: folder,
      env: { ...fish.env, HOME: folder },
    });
    assert.ok(success, stderr);
    offered = stdout.split("\n").filter((line) => line !== "")
      .map((line) => `${line.split("\t")[0]}`).toSorted();
  });
  return offered;
}

Deno.test("isShell() knows the shells that there are scripts for", () => {
  assert.deepEqual(["bash", "zsh", "fish", "tcsh", ""].filter(isShell), [...SHELLS]);
});

const CASES: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["flags and commands", [""], [...FLAGS, "--version", "--help", ...COMMANDS].toSorted()],
  ["the rest of a flag", ["--registry-u"], ["--registry-url", "--registry-username"]],
  ["the rest of a command", ["heal"], ["healthcheck"]],
  ["the words that a flag takes", ["--log-level", ""], LOG_LEVELS.toSorted()],
  ["the words that begin so", ["--log-format", "j"], ["json"]],
  ["files where a path is wanted", ["--registry-password-file", "pass"], ["pass word"]],
  ["nothing where anything may come", ["--listen-addr", ""], []],
  ["shells", ["completions", ""], SHELLS.toSorted()],
];

for (const [what, words, wanted] of CASES) {
  Deno.test(`completions() make bash offer ${what}`, async () => {
    assert.deepEqual(await bashOffers(words), wanted);
  });
}

Deno.test('completions() make bash offer words behind "=", which it parts there', async () => {
  assert.deepEqual(await bashOffers(["--log-format", "="]), ["json", "text"]);
  assert.deepEqual(await bashOffers(["--log-format", "=", "t"]), ["text"]);
});

const fish = await debianTool("fish");

Deno.test("completions() make fish offer flags, commands and words", {
  ignore: "skip" in fish,
}, async () => {
  if ("skip" in fish) return;
  const offers = (line: string): Promise<string[]> => fishOffers(fish, line);
  assert.deepEqual(await offers("otaflux --"), [...FLAGS, "--version", "--help"].toSorted());
  assert.deepEqual(await offers("otaflux "), COMMANDS);
  assert.deepEqual(await offers("otaflux --log-level "), LOG_LEVELS.toSorted());
  assert.deepEqual(await offers("otaflux --log-format=j"), ["--log-format=json"]);
  assert.deepEqual(await offers("otaflux --registry-password-file pass"), ["pass word"]);
  assert.deepEqual(await offers("otaflux --listen-addr "), []);
  assert.deepEqual(await offers("otaflux completions "), SHELLS.toSorted());
});

const zsh = await debianTool("zsh");

Deno.test("completions() for zsh are taken by its completion system, and name each flag once", {
  ignore: "skip" in zsh,
}, async () => {
  if ("skip" in zsh) return;
  await withScript("zsh", async (_folder, script) => {
    // `_arguments` works under zsh's editor only: what it is called with is looked at instead.
    const call = `
      compdef() { print -r -- "compdef $*"; }
      _arguments() { print -rl -- "$@"; }
      source "$1"
      _otaflux`;
    const { success, stdout, stderr } = await run(zsh.path, {
      args: ["-f", "-e", "-u", "-c", call, "zsh", script],
      env: zsh.env,
    });
    assert.ok(success, stderr);
    const [registered, ...specs] = stdout.trimEnd().split("\n");
    assert.equal(registered, "compdef _otaflux otaflux");
    const named = specs.flatMap((spec) => /^\*?(--[a-z-]+)=?\[/.exec(spec)?.[1] ?? []);
    assert.deepEqual(named.toSorted(), [...FLAGS, "--version", "--help"].toSorted());
    assert.ok(
      specs.includes(
        `--log-format=[${SETTINGS.logFormat.help.replace(":", "\\:")}]:format:(text json)`,
      ),
      stdout,
    );
    for (const [key, { value, isList }] of Object.entries<Setting>(SETTINGS)) {
      const start = `${isList ? "*" : ""}${flagOf(key)}${value ? "=" : ""}[`;
      const spec = specs.find((spec) => spec.startsWith(start));
      assert.ok(spec, key);
      // An unescaped colon or bracket in a help would move the parts of what it says.
      assert.match(
        spec,
        value ? /^[^[]+\[(\\.|[^\\\]:])+\]:[a-z=]+:.+$/ : /^[^[]+\[(\\.|[^\\\]:])+\]$/,
      );
    }
    assert.ok(specs.includes(`2:shell:(${SHELLS.join(" ")})`));
  });
});
