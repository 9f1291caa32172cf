/**
 * From the start of the process to its first answer.
 *
 * @module
 */

import { join } from "node:path";
import { orasArtifact } from "../tests/helpers/artifacts.ts";
import { FakeRegistry } from "../tests/helpers/fake_registry.ts";
import { firmwareBytes } from "../tests/helpers/firmware_bytes.ts";
import { startOtaflux } from "./service.ts";
import { ratio, row } from "./table.ts";

const DEVICES = 1000;
const ROUNDS = 7;

/** Compares it with Deno's own start, the registry gone and the cache full. */
export async function start(folder: string): Promise<void> {
  const cache = ["--cache-dir", join(folder, "cache"), "--cache-size", `${DEVICES}`];
  await fill(cache);
  const own = await median(async () => {
    await new Deno.Command(Deno.execPath(), { args: ["eval", "--no-config", "0"] }).output();
  });
  const firstAnswer = await median(async (stopwatch) => {
    await using otaflux = await startOtaflux(["--registry-url", "http://127.0.0.1:1", ...cache], {
      path: "/version?device=d0",
    });
    stopwatch();
    void otaflux;
  });
  row(
    `start to first answer, ${DEVICES} devices in the cache, registry gone`,
    `${firstAnswer.toFixed(0)} ms (${ratio(firstAnswer, own)})`,
    `deno eval 0 (${own.toFixed(0)} ms)`,
  );
}

async function fill(cache: readonly string[]): Promise<void> {
  await using registry = new FakeRegistry();
  const artifact = orasArtifact(firmwareBytes(10_000, 1));
  for (let device = 0; device < DEVICES; device++) registry.push(`d${device}`, "1.0.0", artifact);
  await using otaflux = await startOtaflux(["--registry-url", registry.origin, ...cache]);
  for (let device = 0; device < DEVICES; device++) {
    await (await fetch(`http://127.0.0.1:${otaflux.port}/version?device=d${device}`)).text();
  }
}

/** Milliseconds until the work is done, or until it stops the watch. */
async function median(work: (stopwatch: () => void) => Promise<void>): Promise<number> {
  const times = [];
  for (let round = 0; round < ROUNDS; round++) {
    const begin = performance.now();
    let end: number | undefined;
    await work(() => end = performance.now());
    times.push((end ?? performance.now()) - begin);
  }
  return times.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? NaN;
}
