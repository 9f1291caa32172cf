/**
 * What a soak prints at its end: a table for `bench/README.md`, and each breach with what was done
 * before it.
 *
 * @module
 */

import type { Footprint } from "./footprint.ts";
import type { SoakOptions, SoakReport } from "./soak.ts";

const MIB = 1024 * 1024;

const TARGETS = ["registry", "broker", "service"] as const;

/** Formats a report, a line each. */
export function showReport(
  { findings, stays, slowestMs }: SoakReport,
  { seed, devices, ids }: Pick<SoakOptions, "seed" | "devices" | "ids">,
): readonly string[] {
  const each = (...names: readonly string[]): string =>
    names.map((name) => findings.counted(name).toLocaleString("en")).join(", ");
  const rows: readonly (readonly [what: string, figure: string])[] = [
    ["seed", `${seed}`],
    ["minutes", (findings.seconds / 60).toFixed(0)],
    ["devices, device ids", `${devices}, ${ids}`],
    ["registry, broker, service: killed", each(...TARGETS.map((target) => `${target} killed`))],
    ["registry, broker, service: paused", each(...TARGETS.map((target) => `${target} paused`))],
    ["disk filled", each("disk filled")],
    ["versions pushed, tags moved, deleted", each("versions pushed", "tags moved", "tags deleted")],
    ["firmware fetched, evicted by the service", each("firmware fetched", "firmware evicted")],
    ["events acknowledged, messages received", each("events acknowledged", "messages")],
    ["requests of devices", each("requests")],
    ["not modified, sent away, refused for a reason", each(...ANSWERS)],
    ["connections cut by the sabotage", each("connections cut by the sabotage")],
    ["downloads completed, resumed", each("downloads", "downloads resumed")],
    ["given up by the device, resumed in vain", each(...CUTS)],
    ["MiB of firmware", (findings.counted("bytes") / MIB).toFixed(0)],
    ["seconds at most until all was right again", (slowestMs / 1000).toFixed(1)],
    ...stays.flatMap(({ chapter, first, middle, last }): [string, string][] => {
      const during = (of: (footprint: Footprint) => number): string =>
        [first, middle, last].map((footprint) => of(footprint).toFixed(0)).join(", then ");
      return [
        [`MiB resident, ${chapter}`, during(({ memoryMiB }) => memoryMiB)],
        [`descriptors, ${chapter}`, during(({ descriptors }) => descriptors)],
      ];
    }),
    ["promises broken", `${findings.breaches.length}`],
  ];
  return [
    ...["| what | figure |", "| --- | --- |"],
    ...rows.map(([what, figure]) => `| ${what} | ${figure} |`),
    ...findings.graveLines.map(([message, count]) => `logged ${count} times: ${message}`),
    ...findings.breaches.flatMap(({ kind, what, atSeconds, lately }) => [
      `BREACH after ${atSeconds.toFixed(1)} s: ${kind}: ${what}`,
      ...lately.map((deed) => `    ${deed}`),
    ]),
  ];
}

const ANSWERS = ["not modified", "sent away, too many downloads", "refused for a reason"];

const CUTS = ["downloads given up by the device", "resumed in vain"];
