/**
 * What the process grows by: with devices that it knows, and with readers that do not read.
 *
 * @module
 */

import { join } from "node:path";
import { orasArtifact } from "../tests/helpers/artifacts.ts";
import { FakeRegistry } from "../tests/helpers/fake_registry.ts";
import { firmwareBytes } from "../tests/helpers/firmware_bytes.ts";
import { rateOf, residentMiB, type Served, startOtaflux } from "./service.ts";
import { ratio, row } from "./table.ts";

const MIB = 1024 * 1024;
const DEVICES = 10_000;
const SLOW_READERS = 1000;

/** What fetching left behind is collected some seconds later, when nothing else is to be done. */
const SETTLE_MS = 40_000;

/** Growth of the resident set over the idle process. */
export async function memory(folder: string): Promise<void> {
  await using registry = new FakeRegistry();
  const artifact = orasArtifact(firmwareBytes(MIB, 1));
  for (let device = 0; device < DEVICES; device++) registry.push(`d${device}`, "1.0.0", artifact);
  await using otaflux = await startOtaflux([
    ...["--registry-url", registry.origin, "--refresh-interval", "24h"],
    ...["--cache-dir", join(folder, "cache"), "--cache-size", `${DEVICES}`],
    ...["--max-downloads", `${SLOW_READERS}`],
  ]);
  const settled = async (devices: number): Promise<number> => {
    await askAll(otaflux, devices);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    return await residentMiB(otaflux.pid);
  };
  const idle = await residentMiB(otaflux.pid);
  const one = await settled(1);
  row("a device of 1 MiB known", growth(one, idle), `idle process (${idle.toFixed(0)} MiB)`);
  const known = await settled(DEVICES);
  row(
    `${DEVICES.toLocaleString("en")} devices of 1 MiB known`,
    growth(known, one),
    "the same process with one",
  );
  const readers = await startSlowReaders(otaflux.port);
  const reading = await residentMiB(otaflux.pid);
  row(
    `${SLOW_READERS.toLocaleString("en")} slow readers at once`,
    growth(reading, known),
    "the same process before",
  );
  const rate = async (): Promise<number> => {
    const url = `http://127.0.0.1:${otaflux.port}/version?device=d0`;
    return (await rateOf(url, 50)).requestsPerSecond;
  };
  // Once for nothing: what is slow at first is not the readers' doing.
  await rate();
  const beside = await rate();
  for (const reader of readers) reader.close();
  row("`/version` beside the slow readers", ratio(beside, await rate()), "without them");
}

function growth(now: number, before: number): string {
  return `+${Math.max(0, now - before).toFixed(0)} MiB (${ratio(now, before)})`;
}

async function askAll({ port }: Served, devices: number): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: 16 }, async () => {
    while (next < devices) {
      const response = await fetch(`http://127.0.0.1:${port}/version?device=d${next++}`);
      if (!response.ok) throw new Error(await response.text());
      await response.body?.cancel();
    }
  }));
}

/** Each asks for a firmware, reads its head, and then nothing. */
async function startSlowReaders(port: number): Promise<Deno.Conn[]> {
  const readers = [];
  for (let reader = 0; reader < SLOW_READERS; reader++) {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    readers.push(connection);
    const request = `GET /firmware?device=d${reader} HTTP/1.1\r\nHost: bench\r\n\r\n`;
    await connection.write(new TextEncoder().encode(request));
    const head = new Uint8Array(1024);
    await connection.read(head);
    if (!new TextDecoder().decode(head).startsWith("HTTP/1.1 200 ")) {
      throw new Error("A slow reader was not served");
    }
  }
  return readers;
}
