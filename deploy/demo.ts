/**
 * Shows what the service does: `deno task demo` serves two devices from a temporary folder, plays
 * one of them, and says what to try. Ctrl-C ends it and removes the folder.
 *
 * @module
 */

import { join } from "node:path";
import { orasArtifact } from "../tests/helpers/artifacts.ts";
import { firmwareBytes } from "../tests/helpers/firmware_bytes.ts";
import { writeLayout } from "../tests/helpers/layout.ts";
import { serviceFlags } from "./compile.ts";

const REPOSITORY = join(import.meta.dirname ?? ".", "..");

/** The ports of a real installation, as far as they are free. */
const API_PORT = 8080;
const METRICS_PORT = 9090;

/** Device, and its versions with their sizes in bytes. */
const FLEET: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  "esp32-garden": { "1.0.0": 300_000, "1.1.0-rc.1": 310_000, "v1.1.0": 314_159 },
  "gateway/edge": { "2.9.0": 4_000_000, "2.10.0": 4_200_000 },
};

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

/** Writes what `oras push --oci-layout <folder>/<device>:<tag> firmware.bin` would. */
async function writeFleet(folder: string): Promise<void> {
  let seed = 1;
  for (const [device, versions] of Object.entries(FLEET)) {
    for (const [tag, size] of Object.entries(versions)) {
      const firmware = firmwareBytes(size, seed++);
      await writeLayout(
        join(folder, device),
        tag,
        orasArtifact(firmware, { title: "firmware.bin" }),
      );
    }
  }
}

/** A free port, this one if possible: a person remembers 8080. */
function freePort(wanted: number): number {
  for (const port of [wanted, 0]) {
    try {
      using listener = Deno.listen({ hostname: "127.0.0.1", port });
      return listener.addr.port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Error("No free port on 127.0.0.1");
}

function startService(folder: string, ports: { api: number; metrics: number }): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", ...serviceFlags(), "main.ts", "--layout-dir", folder],
      ...["--listen-addr", `127.0.0.1:${ports.api}`],
      ...["--metrics-listen-addr", `127.0.0.1:${ports.metrics}`],
    ],
    cwd: REPOSITORY,
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
}

/** Waits until the service answers; it may have to load its modules first. */
async function answers(origin: string, service: Deno.ChildProcess): Promise<void> {
  const ended = service.status.then(({ code }) => {
    throw new Error(`The service ended with status ${code}`);
  });
  const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));
  const ready = async (): Promise<void> => {
    for (;;) {
      try {
        await (await fetch(`${origin}/health`)).body?.cancel();
        return;
      } catch {
        await pause();
      }
    }
  };
  await Promise.race([ready(), ended]);
}

async function playDevice(origin: string, device: string): Promise<void> {
  const version = await (await fetch(`${origin}/version?device=${device}`)).text();
  const firmware = await (await fetch(`${origin}/firmware?device=${device}`)).bytes();
  const digest = await crypto.subtle.digest("SHA-256", firmware);
  const [name, crc32, size] = version.split("\n");
  say(`
A device "${device}" just asked for its version and then for its firmware:
  version ${name}, CRC-32 ${crc32}, ${size} bytes announced, ${firmware.length} bytes received,
  SHA-256 ${new Uint8Array(digest).toHex()}`);
}

function sayWhatToTry(origin: string, metrics: string, folder: string): void {
  say(`
Try it yourself, in another terminal:
  curl '${origin}/version?device=esp32-garden'
  curl '${origin}/version?device=gateway/edge'
  curl -o firmware.bin '${origin}/firmware?device=gateway/edge'
  curl -i '${origin}/version?device=nobody'
  curl '${metrics}/metrics'
In a browser on this machine, what is served to whom: ${metrics}/
With ORAS, publish a newer version and ask again after a minute:
  oras push --oci-layout ${folder}/esp32-garden:1.2.0 firmware.bin

Press Ctrl-C to end.`);
}

async function main(): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "otaflux-demo-" });
  try {
    await writeFleet(folder);
    const ports = { api: freePort(API_PORT), metrics: freePort(METRICS_PORT) };
    const service = startService(folder, ports);
    // Ctrl-C reaches both of us, any other signal only this process: it is passed on.
    Deno.addSignalListener("SIGINT", () => {});
    Deno.addSignalListener("SIGTERM", () => service.kill("SIGTERM"));
    const origin = `http://127.0.0.1:${ports.api}`;
    await answers(origin, service);
    await playDevice(origin, "esp32-garden");
    sayWhatToTry(origin, `http://127.0.0.1:${ports.metrics}`, folder);
    return (await service.status).code;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.exit(await main());
