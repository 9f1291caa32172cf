/**
 * `deno task bench`: the figures of `bench/README.md`, each a ratio out of one run. Needs Linux with
 * `wrk`, `nginx` and `mosquitto`. With names behind it, only those.
 *
 * @module
 */

import { measureAnnouncements } from "./announcements.ts";
import { crowd } from "./crowd.ts";
import { memory } from "./memory.ts";
import { start } from "./start.ts";
import { row, say } from "./table.ts";
import { throughput } from "./throughput.ts";

/** Push to message; the goal is a p99 within 250 ms. */
async function announcements(folder: string): Promise<void> {
  const { p50, p99, shares } = await measureAnnouncements(folder);
  const parts = Object.entries(shares).map(([part, share]) => `${part} ${percent(share)}`);
  row(
    "push to MQTT message, 1 MiB, p50 and p99 of 200",
    `${p50.toFixed(0)} ms, ${p99.toFixed(0)} ms`,
    parts.join(", "),
  );
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

/** Each in a folder of its own, in this order. */
const BENCHES: Readonly<Record<string, (folder: string) => Promise<void>>> = {
  throughput,
  crowd,
  memory,
  announcements,
  start,
};

// What is shipped, unless something else is wanted.
Deno.env.set("OTAFLUX_SUBJECT", Deno.env.get("OTAFLUX_SUBJECT") || "bundle");

say("| what | figure | compared with |");
say("| --- | --- | --- |");
for (const [name, bench] of Object.entries(BENCHES)) {
  if (Deno.args.length > 0 && !Deno.args.includes(name)) continue;
  const folder = await Deno.makeTempDir({ prefix: "otaflux-bench-" });
  try {
    await bench(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
