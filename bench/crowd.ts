/**
 * A crowd at a device that nobody has asked for yet.
 *
 * @module
 */

import { join } from "node:path";
import { orasArtifact } from "../tests/helpers/artifacts.ts";
import { FakeRegistry } from "../tests/helpers/fake_registry.ts";
import { firmwareBytes } from "../tests/helpers/firmware_bytes.ts";
import { type Served, startOtaflux } from "./service.ts";
import { ratio, row } from "./table.ts";

const CROWD = 2000;

/** Compares a crowd at a cold device with the same crowd when it is cached. */
export async function crowd(folder: string): Promise<void> {
  await using registry = new FakeRegistry();
  const artifact = orasArtifact(firmwareBytes(1024 * 1024, 1));
  for (const device of ["warm", "cold"]) registry.push(device, "1.0.0", artifact);
  await using otaflux = await startOtaflux([
    ...["--registry-url", registry.origin, "--refresh-interval", "24h"],
    ...["--cache-dir", join(folder, "cache")],
  ]);
  // The first crowd opens the connections that both use.
  await askAtOnce(otaflux, "warm");
  const warm = await askAtOnce(otaflux, "warm");
  registry.forgetRequests();
  const cold = await askAtOnce(otaflux, "cold");
  const cost = `${registry.requests.length} requests to the registry`;
  row(`${CROWD} requests at once for a cold device`, ratio(cold, warm), `cached; ${cost}`);
}

/** Milliseconds until all have their answer. */
async function askAtOnce({ port }: Served, device: string): Promise<number> {
  const url = `http://127.0.0.1:${port}/version?device=${device}`;
  const start = performance.now();
  await Promise.all(Array.from({ length: CROWD }, async () => await (await fetch(url)).text()));
  return performance.now() - start;
}
