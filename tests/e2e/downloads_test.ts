import assert from "node:assert/strict";
import { orasArtifact } from "../helpers/artifacts.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { Otaflux } from "../helpers/otaflux.ts";

/** More than all buffers between the service and its reader take. */
const FIRMWARE = firmwareBytes(64 * 1024 * 1024, 1);

/** The slow reader takes so many bytes, and pauses: all of them last for longer than the patience. */
const [SLOW_BYTES, SLOW_PAUSE_MS] = [512 * 1024, 50];

Deno.test("a reader that stops is cut off, and one that reads slowly is not", async () => {
  await using registry = new FakeRegistry();
  registry.push("pump", "1.0.0", orasArtifact(FIRMWARE));
  await using otaflux = await Otaflux.start({
    args: ["--registry-url", registry.origin, "--idle-timeout", "2s"],
  });
  const ask = async (): Promise<Deno.Conn> => {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: otaflux.port });
    const request = "GET /firmware?device=pump HTTP/1.1\r\nHost: x\r\n\r\n";
    await connection.write(new TextEncoder().encode(request));
    return connection;
  };
  using stopped = await ask();
  using slow = await ask();
  const isCut = otaflux.logged("Download is cut off, its reader takes nothing");
  let done = false;
  void isCut.then(() => done = true);
  while (!done) {
    await readSome(slow, SLOW_BYTES);
    await new Promise((resolve) => setTimeout(resolve, SLOW_PAUSE_MS));
  }
  assert.ok(await readSome(stopped, Infinity) < FIRMWARE.length);
  const version = await fetch(`${otaflux.origin}/version?device=pump`);
  assert.match(await version.text(), /^1\.0\.0\n/);
  const cuts = otaflux.records.filter(({ message }) => message.startsWith("Download is cut off"));
  assert.equal(cuts.length, 1);
});

/** Reads so many bytes, or to the end of the connection, and gives their number. */
async function readSome(connection: Deno.Conn, length: number): Promise<number> {
  const buffer = new Uint8Array(Math.min(length, 1024 * 1024));
  let received = 0;
  while (received < length) {
    const count = await connection.read(buffer).catch((error) => {
      if (error instanceof Deno.errors.ConnectionReset) return null;
      throw error;
    });
    if (count === null) break;
    received += count;
  }
  return received;
}
