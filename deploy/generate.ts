/**
 * Writes what follows from the table of settings: `docs/configuration.md`, and the variables that
 * the `start` task may read in `deno.json`.
 *
 * `deno task generate` writes them; the tests call {@linkcode generated} and compare.
 *
 * @module
 */

import { join } from "node:path";
import {
  COMMIT_VARIABLE,
  flagOf,
  type Setting,
  SETTINGS,
  SYSTEMD_CACHE_VARIABLE,
  variableOf,
} from "../src/config/settings.ts";

const REPOSITORY = join(import.meta.dirname ?? ".", "..");

/**
 * The files as they should be.
 *
 * @returns Texts by their paths in the repository.
 */
export async function generated(): Promise<Readonly<Record<string, string>>> {
  const paths = ["docs/configuration.md", "deno.json"] as const;
  const [documentation, manifest] = await Promise.all(
    paths.map((path) => Deno.readTextFile(join(REPOSITORY, path))),
  );
  return {
    "docs/configuration.md": await formatted(
      `${documentation}`.replace(/\n\| flag [^]*?\n\n/, `\n${table()}\n\n`),
    ),
    "deno.json": `${manifest}`.replace(/(?<=--allow-env=)\S+/, variables().join(",")),
  };
}

function table(): string {
  const rows = Object.entries<Setting>(SETTINGS).map(([key, setting]) => {
    const fallback = setting.default === undefined ? "–" : `\`${setting.default}\``;
    const several = setting.isList === true ? "; may be given several times" : "";
    return `| \`${flagOf(key)}\` | \`${
      variableOf(key)
    }\` | ${fallback} | ${setting.help}${several} |`;
  });
  return ["| flag | variable | default | meaning |", "| --- | --- | --- | --- |", ...rows]
    .join("\n");
}

function variables(): string[] {
  return [...Object.keys(SETTINGS).map(variableOf), SYSTEMD_CACHE_VARIABLE, COMMIT_VARIABLE];
}

/** As `deno fmt` pads tables. */
async function formatted(markdown: string): Promise<string> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext", "md", "-"],
    cwd: REPOSITORY,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(markdown));
  await writer.close();
  return new TextDecoder().decode((await process.output()).stdout);
}

if (import.meta.main) {
  for (const [path, text] of Object.entries(await generated())) {
    await Deno.writeTextFile(join(REPOSITORY, path), text);
  }
}
