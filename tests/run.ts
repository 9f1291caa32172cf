/**
 * Every test with one command: brings the real servers that they need, runs them, counts.
 *
 * `deno task test [flags and paths of deno test]`
 *
 * @module
 */
import { join } from "node:path";
import { CHROMIUM_PROGRAM } from "./helpers/browser.ts";
import { exists } from "./helpers/cache.ts";
import { debianTool } from "./helpers/debian.ts";
import { subjectCommand } from "./helpers/subject.ts";

/**
 * Debian's packages with the real servers and clients, and a program of each; a test asks
 * `debianTool` for its own.
 */
const PACKAGES = {
  "docker-registry": "docker-registry",
  skopeo: "skopeo",
  rauc: "rauc",
  swupdate: "swupdate",
  mosquitto: "mosquitto",
  "mosquitto-clients": "mosquitto_sub",
  prometheus: "promtool",
  chromium: CHROMIUM_PROGRAM,
};

const REPOSITORY = join(import.meta.dirname ?? ".", "..");

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** Brings all that takes long or may fail before the first test, which then finds it in place. */
async function prepare(): Promise<void> {
  for (const [name, binary] of Object.entries(PACKAGES)) {
    const tool = await debianTool(name, { binary, announce: say });
    if ("skip" in tool) say(`Tests that need "${name}" are skipped: ${tool.skip}`);
  }
  await subjectCommand();
}

/** Runs `deno test` and gives its exit status. */
async function runTests(args: string[], report: string): Promise<number> {
  const paths = await Promise.all(args.map((arg) => exists(join(REPOSITORY, arg))));
  // With no path given: every test, and every example in the documentation of src.
  const all = paths.includes(true) ? [] : ["--doc", "tests", "src"];
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["test", "-A", "--frozen", "--trace-leaks", "--parallel", `--junit-path=${report}`],
      ...args,
      ...all,
    ],
    cwd: REPOSITORY,
    // Tests of processes wait more than they compute.
    env: { DENO_JOBS: Deno.env.get("DENO_JOBS") ?? `${2 * navigator.hardwareConcurrency}` },
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  return code;
}

/** Adds up what the runner reports of each file; like there, each step counts as a test. */
function count(report: string): string {
  const sum = (attribute: string): number =>
    [...report.matchAll(new RegExp(`<testsuite [^>]*\\b${attribute}="(\\d+)"`, "g"))]
      .reduce((total, [, digits]) => total + Number(digits), 0);
  const failed = sum("failures") + sum("errors");
  const skipped = sum("disabled");
  const passed = sum("tests") - failed - skipped;
  return `${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`;
}

async function main(): Promise<number> {
  try {
    await prepare();
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return 1;
  }
  const report = await Deno.makeTempFile({ prefix: "otaflux-tests-", suffix: ".xml" });
  try {
    const code = await runTests(Deno.args, report);
    const text = await Deno.readTextFile(report);
    // Empty where nothing was run, for example because of a type error: there is nothing to count.
    if (text !== "") say(count(text));
    return code;
  } finally {
    await Deno.remove(report);
  }
}

Deno.exit(await main());
