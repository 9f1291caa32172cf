/**
 * `deno task soak`: an hour of it, or `--minutes`; with `--seed` the same again. Prints what
 * happened, and ends with status 1 where a promise was broken; `--log` keeps the service's log. Needs Linux and Debian's packages;
 * to fill the disk, the right to mount one.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { showReport } from "./report.ts";
import { soak } from "./soak.ts";
import { soakTools } from "./stage.ts";

const MINUTE_MS = 60_000;

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      minutes: { type: "string", default: "60" },
      seed: { type: "string", default: `${Math.floor(Math.random() * 1_000_000)}` },
      devices: { type: "string", default: "1000" },
      ids: { type: "string", default: "250" },
      log: { type: "string" },
    },
  });
  const tools = await soakTools();
  if ("skip" in tools) {
    say(tools.skip);
    return 1;
  }
  // What is shipped, unless something else is wanted.
  Deno.env.set("OTAFLUX_SUBJECT", Deno.env.get("OTAFLUX_SUBJECT") || "bundle");
  const end = new AbortController();
  // Nothing may be left that it has started or mounted.
  Deno.addSignalListener("SIGINT", () => end.abort());
  Deno.addSignalListener("SIGTERM", () => end.abort());
  const durationMs = Number(values.minutes) * MINUTE_MS;
  const options = {
    ...{ seed: Number(values.seed), durationMs, logPath: values.log, signal: end.signal, say },
    ...{ devices: Number(values.devices), ids: Number(values.ids), pollMs: 10_000 },
    ...{
      slowestBytesPerSecond: 20_000,
      changeMs: 1000,
      roundMs: Math.min(2 * MINUTE_MS, durationMs / 9),
      tempo: 1,
    },
    ...{ patienceMs: 2 * MINUTE_MS, restMs: 20_000 },
  };
  const report = await soak(tools, options);
  for (const line of showReport(report, options)) say(line);
  return report.findings.breaches.length === 0 ? 0 : 1;
}

Deno.exit(await main());
