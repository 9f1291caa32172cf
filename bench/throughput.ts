/**
 * `/version` in requests and `/firmware` in bytes per second against nginx, which serves the same
 * bytes in the same run.
 *
 * @module
 */

import { join } from "node:path";
import { orasArtifact } from "../tests/helpers/artifacts.ts";
import { FakeRegistry } from "../tests/helpers/fake_registry.ts";
import { firmwareBytes } from "../tests/helpers/firmware_bytes.ts";
import * as faults from "../tests/helpers/registry/faults.ts";
import {
  type Rate,
  rateOf,
  type Served,
  startConstant,
  startNginx,
  startOtaflux,
} from "./service.ts";
import { ratio, row } from "./table.ts";

const KIB = 1024;

/** Firmware by the device that it is for. */
const SIZES = {
  "64 KiB": 64 * KIB,
  "1 MiB": 1024 * KIB,
  "16 MiB": 16 * 1024 * KIB,
} as const;

const CONNECTIONS = [1, 50, 500];

/** What the other rows are measured with. */
const USUAL = { size: "1 MiB", connections: 50 } as const;

interface Pair {
  readonly otaflux: Served;
  readonly nginx: Served;
}

/** All sizes with all numbers of connections; then what is usual while the registry is not there. */
export async function throughput(folder: string): Promise<void> {
  await using registry = new FakeRegistry();
  await Deno.mkdir(join(folder, "www"));
  for (const [size, bytes] of Object.entries(SIZES)) {
    const firmware = firmwareBytes(bytes, 1);
    registry.push(deviceOf(size), "1.0.0", orasArtifact(firmware));
    await Deno.writeFile(join(folder, "www", deviceOf(size)), firmware);
  }
  await using otaflux = await startOtaflux([
    ...["--registry-url", registry.origin, "--refresh-interval", "100ms"],
    ...["--cache-dir", join(folder, "cache"), "--registry-timeout", "60s"],
    ...["--max-downloads", "1000"],
  ]);
  for (const size of Object.keys(SIZES)) {
    const url = `http://127.0.0.1:${otaflux.port}/version?device=${deviceOf(size)}`;
    await Deno.writeFile(join(folder, "www/version"), await (await fetch(url)).bytes());
  }
  await using nginx = await startNginx(folder);
  const pair = { otaflux, nginx };
  await ceiling(nginx);
  for (const connections of CONNECTIONS) {
    await compareVersion(pair, { connections, state: "up" });
    for (const size of Object.keys(SIZES)) {
      await compareFirmware(pair, { size, connections, state: "up" });
    }
  }
  for (
    const [state, fault] of [["hanging", faults.hang()], ["down", faults.status(503)]] as const
  ) {
    using _ = registry.fault({ match: {}, respond: fault });
    await compareVersion(pair, { ...USUAL, state });
    await compareFirmware(pair, { ...USUAL, state });
  }
}

function deviceOf(size: string): string {
  return size.toLowerCase().replace(" ", "-");
}

interface Comparison {
  readonly connections: number;
  readonly state: string;
}

async function compareVersion(pair: Pair, { connections, state }: Comparison): Promise<void> {
  const ours = `version?device=${deviceOf(USUAL.size)}`;
  const [us, them] = await ratesOf(pair, { ours, theirs: "version", connections });
  row(
    `\`/version\`, registry ${state}, ${connections} connections`,
    ratio(us.requestsPerSecond, them.requestsPerSecond),
    "nginx, same bytes",
  );
}

async function compareFirmware(
  pair: Pair,
  { size, connections, state }: Comparison & { readonly size: string },
): Promise<void> {
  const paths = { ours: `firmware?device=${deviceOf(size)}`, theirs: deviceOf(size) };
  const [us, them] = await ratesOf(pair, { ...paths, connections });
  row(
    `\`/firmware\`, ${size}, registry ${state}, ${connections} connections`,
    ratio(us.bytesPerSecond, them.bytesPerSecond),
    "nginx, same bytes",
  );
}

async function ratesOf(
  { otaflux, nginx }: Pair,
  { ours, theirs, connections }: {
    readonly ours: string;
    readonly theirs: string;
    readonly connections: number;
  },
): Promise<readonly [ours: Rate, theirs: Rate]> {
  return [
    await rateOf(`http://127.0.0.1:${otaflux.port}/${ours}`, connections),
    await rateOf(`http://127.0.0.1:${nginx.port}/${theirs}`, connections),
  ];
}

/** What is left of the ratio where there is nothing but the platform. */
async function ceiling(nginx: Served): Promise<void> {
  await using constant = await startConstant();
  const pair = { otaflux: constant, nginx };
  const { connections } = USUAL;
  const [us, them] = await ratesOf(pair, { ours: "", theirs: "version", connections });
  row(
    `\`Deno.serve\`, a constant with the headers of \`/version\`, ${connections} connections`,
    ratio(us.requestsPerSecond, them.requestsPerSecond),
    "nginx, same bytes",
  );
}
