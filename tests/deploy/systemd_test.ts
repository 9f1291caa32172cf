import assert from "node:assert/strict";
import { join } from "node:path";
import { type Setting, SETTINGS, variableOf } from "../../src/config/settings.ts";
import { type Finished, run } from "../helpers/cache.ts";
import { debianTool } from "../helpers/debian.ts";

const SYSTEMD = join(import.meta.dirname ?? ".", "..", "..", "deploy", "systemd");
const UNIT = join(SYSTEMD, "otaflux.service");

/** What systemd's own figure may be at most, in tenths: 0 is shut, 100 is open. */
const EXPOSURE_LIMIT = 20;

/** Keys that older systemds do not know, and say so; the unit works without. */
const NEW_KEYS = ["RestartSteps", "RestartMaxDelaySec"];

const systemdAnalyze = await debianTool("systemd", { binary: "systemd-analyze" });

async function analyze(...args: string[]): Promise<Finished> {
  if ("skip" in systemdAnalyze) throw new Error(systemdAnalyze.skip);
  const { path, env } = systemdAnalyze;
  return await run(path, { args: ["--no-pager", ...args], env });
}

/** One that was unpacked only may miss libraries that it looks for where they would be installed. */
const cannotAnalyze = "skip" in systemdAnalyze || !(await analyze("--version")).success;

Deno.test("systemd finds nothing wrong with the unit, and with its drop-in", {
  ignore: cannotAnalyze,
}, async () => {
  const folder = await Deno.makeTempDir({ prefix: "otaflux-systemd-" });
  try {
    const unit = join(folder, "otaflux.service");
    const text = await Deno.readTextFile(UNIT);
    // Nothing is installed here, and the program's file has to be there.
    await Deno.writeTextFile(unit, text.replace("/usr/local/bin/otaflux", "/bin/true"));
    await Deno.mkdir(`${unit}.d`);
    const dropIn = "registry-password.conf";
    await Deno.copyFile(join(SYSTEMD, dropIn), join(`${unit}.d`, dropIn));
    const { stderr } = await analyze("verify", unit);
    const complaints = stderr.split("\n").filter((line) =>
      line !== "" && !NEW_KEYS.some((key) => line.includes(`Unknown key '${key}'`)) &&
      !NEW_KEYS.some((key) => line.includes(`Unknown key name '${key}'`))
    );
    assert.deepEqual(complaints, []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("systemd finds the unit well shut", { ignore: cannotAnalyze }, async () => {
  const { success, stdout, stderr } = await analyze(
    ...["security", "--offline=true", `--threshold=${EXPOSURE_LIMIT}`, UNIT],
  );
  assert.match(stdout, /Overall exposure level for otaflux\.service: \d\.\d/, stderr);
  assert.ok(success, stdout);
});

Deno.test("the environment file has every variable, off, with its default", async () => {
  const text = await Deno.readTextFile(join(SYSTEMD, "otaflux.env"));
  const lines = text.split("\n").filter((line) => !/^(# |$)/.test(line));
  assert.deepEqual(
    lines,
    Object.entries<Setting>(SETTINGS).map(([key, setting]) =>
      `#${variableOf(key)}=${setting.default ?? ""}`
    ),
  );
});

Deno.test("the drop-in names variables that there are", async () => {
  const text = await Deno.readTextFile(join(SYSTEMD, "registry-password.conf"));
  const named = [...text.matchAll(/^Environment=(\w+)=/gm)].map(([, name]) => name);
  assert.deepEqual(named, ["REGISTRY_PASSWORD_FILE"]);
  assert.ok(Object.keys(SETTINGS).map(variableOf).includes(`${named[0]}`));
});
