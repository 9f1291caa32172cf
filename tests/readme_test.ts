import assert from "node:assert/strict";
import { join } from "node:path";
import { flagOf, type Setting, SETTINGS, variableOf } from "../src/config/settings.ts";

const README = await Deno.readTextFile(join(import.meta.dirname ?? ".", "..", "README.md"));

/** A row per setting, as README has it. Padding is the formatter's. */
function expectedRows(): string[] {
  return Object.entries<Setting>(SETTINGS).map(([key, setting]) => {
    const fallback = setting.default === undefined ? "–" : `\`${setting.default}\``;
    return `| \`${flagOf(key)}\` | \`${variableOf(key)}\` | ${fallback} | ${setting.help} |`;
  });
}

Deno.test("README lists every flag with its variable, default and meaning", () => {
  const rows = README.split("\n")
    .filter((line) => line.startsWith("| `--"))
    .map((line) => line.replaceAll(/ +/g, " "));
  assert.deepEqual(rows, expectedRows());
});

Deno.test("README is short", () => {
  assert.ok(README.split("\n").length < 200);
});
