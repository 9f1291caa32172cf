/**
 * `deno task bench`: the figures of `bench/README.md`, each a ratio out of one run. Needs Linux with
 * `wrk` and `nginx`.
 *
 * @module
 */

import { join } from "node:path";
import { orasArtifact } from "../tests/helpers/artifacts.ts";
import { FakeRegistry } from "../tests/helpers/fake_registry.ts";
import { firmwareBytes } from "../tests/helpers/firmware_bytes.ts";
import * as faults from "../tests/helpers/registry/faults.ts";
import { measureAnnouncements } from "./announcements.ts";
import {
  requestsPerSecond,
  residentMiB,
  type Served,
  startNginx,
  startOtaflux,
} from "./service.ts";

const MIB = 1024 * 1024;
const DEVICES = 10_000;
const SLOW_READERS = 1000;
const CONNECTIONS = 50;

/** What fetching left behind is collected some seconds later, when nothing else is to be done. */
const SETTLE_MS = 20_000;

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

function row(what: string, figure: string, compared: string): void {
  say(`| ${what} | ${figure} | ${compared} |`);
}

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "otaflux-bench-" });
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Requests per second against nginx with the same bytes, the registry up, down and hanging. */
async function throughput(folder: string): Promise<void> {
  await using registry = new FakeRegistry();
  const firmware = firmwareBytes(MIB, 1);
  registry.push("bench", "1.0.0", orasArtifact(firmware));
  await using otaflux = await startOtaflux([
    ...["--registry-url", registry.origin, "--refresh-interval", "100ms"],
    ...["--cache-dir", join(folder, "cache"), "--registry-timeout", "60s"],
  ]);
  const origin = `http://127.0.0.1:${otaflux.port}`;
  const version = await (await fetch(`${origin}/version?device=bench`)).bytes();
  await Deno.mkdir(join(folder, "www"));
  await Deno.writeFile(join(folder, "www/version"), version);
  await Deno.writeFile(join(folder, "www/firmware"), firmware);
  await using nginx = await startNginx(folder);

  const compare = async (state: string): Promise<void> => {
    for (const path of ["version", "firmware"]) {
      const ours = await requestsPerSecond(`${origin}/${path}?device=bench`, CONNECTIONS);
      const theirs = await requestsPerSecond(`http://127.0.0.1:${nginx.port}/${path}`, CONNECTIONS);
      const what = path === "version" ? "`/version`" : "`/firmware`, 1 MiB";
      row(`${what}, registry ${state}`, `${(ours / theirs).toFixed(2)} ×`, "nginx, same bytes");
    }
  };
  await compare("up");
  {
    using _ = registry.fault({ match: {}, respond: faults.hang() });
    await compare("hanging");
  }
  using _ = registry.fault({ match: {}, respond: faults.status(503) });
  await compare("down");
}

/** Growth of the resident set over the idle process. */
async function memory(folder: string): Promise<void> {
  await using registry = new FakeRegistry();
  const artifact = orasArtifact(firmwareBytes(MIB, 1));
  for (let device = 0; device < DEVICES; device++) registry.push(`d${device}`, "1.0.0", artifact);
  await using otaflux = await startOtaflux([
    ...["--registry-url", registry.origin, "--refresh-interval", "24h"],
    ...["--cache-dir", join(folder, "cache"), "--cache-size", `${DEVICES}`],
    ...["--max-downloads", `${SLOW_READERS}`],
  ]);
  const idle = await residentMiB(otaflux.pid);
  await askAll(otaflux);
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const known = await residentMiB(otaflux.pid);
  row(
    `${DEVICES.toLocaleString("en")} devices of 1 MiB known`,
    `+${(known - idle).toFixed(0)} MiB (${(known / idle).toFixed(2)} ×)`,
    `idle process (${idle.toFixed(0)} MiB)`,
  );
  const readers = await startSlowReaders(otaflux.port);
  const reading = await residentMiB(otaflux.pid);
  row(
    `${SLOW_READERS.toLocaleString("en")} slow readers at once`,
    `+${(reading - known).toFixed(0)} MiB`,
    "the same process before",
  );
  const rate = (): Promise<number> =>
    requestsPerSecond(`http://127.0.0.1:${otaflux.port}/version?device=d0`, 50);
  // Once for nothing: what is slow at first is not the readers' doing.
  await rate();
  const beside = await rate();
  for (const reader of readers) reader.close();
  const ratio = beside / await rate();
  row("`/version` beside the slow readers", `${ratio.toFixed(2)} ×`, "without them");
}

async function askAll({ port }: Served): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: 16 }, async () => {
    while (next < DEVICES) {
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

say("| what | figure | compared with |");
say("| --- | --- | --- |");
await withFolder(throughput);
await withFolder(memory);
await withFolder(announcements);
