/**
 * Writes what follows from the table of settings: `docs/configuration.md`, the variables that the
 * `start` task may read in `deno.json`, and `deploy/systemd/otaflux.env`; and from the metrics:
 * the table in `docs/metrics.md`.
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
import { Metrics } from "../src/metrics/metrics.ts";

const REPOSITORY = join(import.meta.dirname ?? ".", "..");

/**
 * The files as they should be.
 *
 * @returns Texts by their paths in the repository.
 */
export async function generated(): Promise<Readonly<Record<string, string>>> {
  const paths = ["docs/configuration.md", "docs/metrics.md", "deno.json"] as const;
  const [documentation, metrics, manifest] = await Promise.all(
    paths.map((path) => Deno.readTextFile(join(REPOSITORY, path))),
  );
  return {
    "docs/configuration.md": await formatted(
      `${documentation}`.replace(/\n\| flag [^]*?\n\n/, `\n${table()}\n\n`),
    ),
    "docs/metrics.md": await formatted(
      `${metrics}`.replace(/\n\| name [^]*?\n\n/, `\n${metricsTable()}\n\n`),
    ),
    "deno.json": `${manifest}`.replace(/(?<=--allow-env=)\S+/, variables().join(",")),
    "deploy/systemd/otaflux.env": environmentFile(),
  };
}

/** How systemd and Docker read it: no quotes, and a comment is a line of its own. */
function environmentFile(): string {
  const entries = Object.entries<Setting>(SETTINGS).map(([key, setting]) => {
    const takes = setting.value === undefined || setting.isSecret
      ? setting.help
      : `${setting.help}; takes ${setting.kind.takes}`;
    const secret = setting.isSecret ? " (a file is safer, see docs/deployment.md)" : "";
    const several = setting.isList === true ? "; several are parted by commas" : "";
    const sentence = takes.charAt(0).toUpperCase() + takes.slice(1);
    return `# ${sentence}${several}${secret}\n#${variableOf(key)}=${setting.default ?? ""}\n`;
  });
  return `# Settings of OtaFlux, for systemd as /etc/otaflux/otaflux.env and for Docker's --env-file. Take
# away the "#" before a variable to set it; what stands behind is the default.
# \`deno task generate\` writes this file, from src/config/settings.ts.

${entries.join("\n")}`;
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

function metricsTable(): string {
  const rows = new Metrics().describe().map(({ name, type, labels, help }) =>
    `| \`${name}\` | ${type} | ${
      labels.map((label) => `\`${label}\``).join(", ") || "–"
    } | ${help} |`
  );
  return ["| name | type | labels | meaning |", "| --- | --- | --- | --- |", ...rows].join("\n");
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
