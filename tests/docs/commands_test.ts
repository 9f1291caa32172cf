/** Every command that the documents show is run, or is known not to be. */
import assert from "node:assert/strict";
import { join } from "node:path";
import {
  type Block,
  blocksOf,
  commandsOf,
  documents,
  isAsShown,
  spansOf,
} from "../helpers/documents.ts";
import { run } from "../helpers/cache.ts";
import { mosquittoTools } from "../helpers/mosquitto.ts";
import { Town } from "../helpers/town/town.ts";
import { REAL, realPrograms, UNPLAYED, UNPLAYED_TASKS } from "../helpers/town/programs.ts";

const real = await realPrograms();
const mosquitto = await mosquittoTools();
const ignore = "skip" in real || "skip" in mosquitto;

type FileOfTown = (folders: Town["folders"]) => string;

/** Blocks that are files: of which kind, and where a command of their document expects them. */
const FILES: Readonly<Record<string, Readonly<Record<string, FileOfTown>>>> = {
  "docs/firmware.md": { yaml: ({ clone }) => join(clone, "config.yml") },
  "docs/tls.md": { text: ({ root }) => join(root, "etc", "otaflux", "tokens") },
};

/**
 * What is in the text of a document and begins like a command, but is only the name of one; or what
 * another test runs.
 */
const MENTIONED = new Set([
  ...["cosign attest", "cosign copy", "cosign sign", "cosign sign-blob", "cosign verify"],
  "cosign verify --insecure-ignore-tlog",
  ...["curl --http1.0", "curl -C -", "wget -c", "docker build", "docker push"],
  ...["deno task start", "deno task -q start", "npx -y deno@2.9.6", "oras copy -r", "oras push"],
  ...["systemctl reload", "cp -a", "cp -r", "rsync -aH"],
  // tests/e2e/real_clients_test.ts
  ...["rauc info", 'swupdate -d "-u http://<host>/firmware?device=<id>"'],
]);

const texts = await documents();
const blocks = [...texts].flatMap(([document, text]) => blocksOf(document, text));
const shells = Map.groupBy(
  blocks.filter(({ kind }) => ["sh", "console"].includes(kind)),
  ({ document }) => document,
);

/** What a device gets of an OtaFlux that was started like this. */
function expectedStatus(command: string): number {
  if (command.includes("--device-token-file")) return 401;
  return command.includes("--cosign-") ? 502 : 200;
}

/** A script: what it is called with stands in its first comment, before a colon. */
async function runScript(town: Town, { text }: Block): Promise<void> {
  const [, name = "", args = ""] = /^# (\S+) (.+):/m.exec(text) ?? [];
  await Deno.writeTextFile(join(town.folders.clone, name), text);
  const { code, stderr } = await town.run(`sh ${name} ${town.translate(args, false)}`);
  assert.equal(code, 0, stderr);
}

async function runCommands(town: Town, block: Block): Promise<void> {
  const shown = commandsOf(block);
  const isOwn = shown.some(({ command }) => town.isService(command));
  for (const { command, output } of shown) {
    const { code, stdout, stderr } = await town.run(town.translate(command, isOwn));
    // What a document shows to fail has to.
    const wantedCode = output?.includes("\nFailed ") ? 1 : 0;
    assert.equal(code ?? 0, wantedCode, `${command}: ${stdout}${stderr}`);
    const wanted = output && town.translate(output, isOwn);
    assert.ok(isAsShown(wanted, stdout), `${command} printed\n${stdout}\nand not\n${wanted}`);
  }
  const service = shown.find(({ command }) => town.isService(command))?.command;
  if (service === undefined) return;
  const isHttps = service.includes("--tls-cert-path");
  assert.equal(await town.ask({ isHttps }), expectedStatus(service), service);
}

/** A call of what is not run names a subcommand and flags that there are. */
function checkCall([program = "", ...words]: readonly string[]): void {
  if (program === "deno") return;
  const flags = UNPLAYED[program]?.flags ?? {};
  const subcommand = Object.keys(flags).find((subcommand) =>
    subcommand.split(" ").every((word) => word === "" || words.includes(word))
  );
  assert.ok(subcommand !== undefined, `${program} ${words.join(" ")}: no subcommand that is known`);
  // What follows "exec" is another program's.
  for (const word of words.slice(0, words.indexOf("exec") + 1 || undefined)) {
    const [flag = ""] = word.split("=");
    const isKnown = !/^-{1,2}\w/.test(word) || flags[subcommand]?.includes(flag);
    assert.ok(isKnown, `${program} ${subcommand} ${flag}: not a flag that is known`);
  }
}

/** That there is such a task is seen to by tests/docs_test.ts, without a town. */
const UNPLAYED_TASK = new RegExp(`^deno task (${Object.keys(UNPLAYED_TASKS).join("|")})\\b`);

/** What a command may begin with. */
const PROGRAMS = [
  ...["cp", "deno", "npx", "oras", "otaflux", "rauc", "rsync", "sudo", "swupdate"],
  ...Object.keys(REAL),
  ...Object.keys(UNPLAYED),
];

/** What is in the text of a document and begins like a command. */
function commandsIn(document: string): readonly string[] {
  return spansOf(texts.get(document) ?? "").filter((span) => {
    const [program = "", ...more] = span.split(" ");
    return more.length > 0 && PROGRAMS.includes(program);
  });
}

for (const document of texts.keys()) {
  const shown = shells.get(document) ?? [];
  const named = commandsIn(document).filter((command) =>
    !MENTIONED.has(command) && !UNPLAYED_TASK.test(command)
  );
  if (shown.length + named.length === 0) continue;
  Deno.test(`every command in ${document} works as it is written there`, { ignore }, async (t) => {
    if ("skip" in real || "skip" in mosquitto) return;
    await using town = await Town.open({ real, mosquitto });
    for (const [kind, pathIn] of Object.entries(FILES[document] ?? {})) {
      const file = blocks.find((block) => block.document === document && block.kind === kind);
      await Deno.writeTextFile(pathIn(town.folders), town.translate(file?.text ?? "", true));
    }
    for (const block of shown) {
      await t.step(`line ${block.line}`, async () => {
        await (block.text.startsWith("#!") ? runScript : runCommands)(town, block);
        await town.endResidents();
        for (const call of await town.unplayed()) checkCall(call);
      });
    }
    // Cut off, so that there is something to go on with.
    await Deno.truncate(join(town.folders.clone, "firmware.bin"), 1000);
    for (const command of named) {
      await t.step(command, async () => {
        const { code, stderr } = await town.run(town.translate(command, false));
        assert.equal(code ?? 0, 0, stderr);
        await town.endResidents();
        for (const call of await town.unplayed()) checkCall(call);
      });
    }
  });
}

Deno.test("every block of commands is one for bash", async () => {
  const written = [...shells.values()].flat().filter(({ kind }) => kind === "sh");
  assert.ok(written.length > 20);
  for (const { document, line, text } of written) {
    const { success, stderr } = await run("bash", { args: ["-n", "-c", text] });
    assert.ok(success, `${document}:${line}: ${stderr}`);
  }
});

Deno.test("what is known not to be run is shown somewhere", () => {
  const commands = [...shells.values()].flat().flatMap(commandsOf).map(({ command }) => command);
  const spans = [...texts.keys()].flatMap(commandsIn);
  for (const mentioned of MENTIONED) assert.ok(spans.includes(mentioned), mentioned);
  const isShown = (words: string): boolean =>
    [...commands, ...spans].some((command) => ` ${command} `.includes(` ${words} `));
  for (const program of Object.keys(UNPLAYED)) assert.ok(isShown(program), program);
  for (const task of Object.keys(UNPLAYED_TASKS)) assert.ok(isShown(`task ${task}`), task);
});

/** What a program says of a subcommand, of all that it is part of, and of flags for all of them. */
async function helpOf(program: string, subcommand: string): Promise<string> {
  const words = subcommand.split(" ").filter(Boolean);
  const calls = [0, ...words.map((_, at) => at + 1)].map((
    count,
  ) => [...words.slice(0, count), "--help"]);
  if (program === "kubectl") calls.push(["options"]);
  const texts = calls.map(async (args) => (await run(program, { args })).stdout);
  return (await Promise.all(texts)).join("\n");
}

for (const [program, { flags }] of Object.entries(UNPLAYED)) {
  const { success } = await run(program, { args: ["--help"] });
  Deno.test(`${program} itself knows the flags that the documents show`, {
    ignore: !success,
  }, async () => {
    for (const [subcommand, known] of Object.entries(flags)) {
      const help = await helpOf(program, subcommand);
      // Docker's compose is a plugin, which may not be there.
      if (!help.includes(`${program} ${subcommand}`.trim())) continue;
      const missing = known.filter((flag) => !new RegExp(`(^|[\\s,])${flag}\\b`, "m").test(help));
      assert.deepEqual(missing, [], `${program} ${subcommand}`);
    }
  });
}
