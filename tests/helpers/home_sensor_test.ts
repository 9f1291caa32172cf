import assert from "node:assert/strict";
import { firmwareBytes } from "./firmware_bytes.ts";
import { freePort } from "./free_port.ts";
import { HomeSensor, type HomeSensorOptions, type HomeSensorReport } from "./home_sensor.ts";
import { isNewerForSensor, parseSensorVersion } from "./home_sensor_version.ts";

const FIRMWARE = firmwareBytes(100_001);
const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n";
const INFO = `${HEAD}1.1.0\n12345\n${FIRMWARE.length}`;

/** The writes of one response. Each but the first waits until the one before has been read. */
type Script = readonly (string | Uint8Array)[];

/** A raw TCP server that answers the requests of one connection by a script each, and closes it. */
class ScriptedServer implements AsyncDisposable {
  readonly requests: string[] = [];
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #served: Promise<void>;
  #unread = 0;
  #allRead = Promise.withResolvers<void>();

  constructor(scripts: readonly Script[], { keepOpen = false } = {}) {
    this.#served = this.#serve(scripts, keepOpen);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  noteRead(count: number): void {
    this.#unread -= count;
    if (this.#unread === 0) this.#allRead.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#served;
  }

  async #serve(scripts: readonly Script[], keepOpen: boolean): Promise<void> {
    using connection = await this.#listener.accept();
    const buffer = new Uint8Array(1024);
    for (const script of scripts) {
      const length = await connection.read(buffer);
      if (length === null) return;
      this.requests.push(new TextDecoder().decode(buffer.subarray(0, length)));
      for (const [at, piece] of script.entries()) {
        if (at > 0) await this.#allRead.promise;
        await this.#write(connection, typeof piece === "string" ? utf8(piece) : piece);
      }
    }
    if (keepOpen) await connection.read(buffer);
  }

  async #write(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
    this.#unread += bytes.length;
    this.#allRead = Promise.withResolvers();
    for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
  }
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function join(...parts: readonly (string | Uint8Array)[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) => [...typeof part === "string" ? utf8(part) : part]),
  );
}

interface Played {
  readonly report: HomeSensorReport;
  readonly requests: readonly string[];
}

async function play(
  scripts: readonly Script[],
  options: Partial<HomeSensorOptions> & { readonly keepOpen?: boolean } = {},
): Promise<Played> {
  const { keepOpen = false, ...sensorOptions } = options;
  await using server = new ScriptedServer(scripts, { keepOpen });
  const sensor = new HomeSensor({
    hostname: "127.0.0.1",
    port: server.port,
    device: "dev/bath room",
    currentVersion: "1.0.0",
    onRead: (count) => server.noteRead(count),
    ...sensorOptions,
  });
  return { report: await sensor.check(), requests: server.requests };
}

Deno.test("HomeSensor updates from a server that does all right, byte for byte", async () => {
  const { report, requests } = await play([[INFO], [join(HEAD, FIRMWARE)]]);
  assert.deepEqual(report, {
    outcome: "updated",
    timedOut: false,
    reads: 1,
    headBytes: HEAD.length,
    firmwareHeadBytes: HEAD.length,
    remoteVersion: "1.1.0",
    announcedCrc32: 12345,
    announcedSize: FIRMWARE.length,
    firmware: FIRMWARE,
  });
  assert.deepEqual(requests, [
    "\r\nGET /version?device=dev/bath room HTTP/1.1\r\nHost: 127.0.0.1\r\n" +
    "Connection: keep-alive\r\n\r\n",
    "GET /firmware?device=dev/bath room HTTP/1.1\r\nHost: 127.0.0.1\r\n" +
    "Connection: close\r\n\r\n",
  ]);
});

Deno.test("HomeSensor asks for no firmware that is not newer", async () => {
  const { report, requests } = await play([[INFO]], { currentVersion: "1.1.0" });
  assert.equal(report.outcome, "up-to-date");
  assert.equal(report.announcedSize, undefined);
  assert.equal(requests.length, 1);
});

Deno.test("HomeSensor reads head and body in two writes, if the second brings all", async () => {
  const { report } = await play([[HEAD, INFO.slice(HEAD.length)], [HEAD, FIRMWARE]]);
  assert.equal(report.outcome, "updated");
  assert.equal(report.reads, 2);
});

Deno.test("HomeSensor loses the digits of the size that come after the second line end", async () => {
  const { report } = await play([[INFO.slice(0, -3), INFO.slice(-3)], [join(HEAD, FIRMWARE)]]);
  assert.equal(report.outcome, "reboot");
  assert.equal(report.announcedSize, 100);
  assert.equal(report.firmware?.length, FIRMWARE.length);
});

Deno.test("HomeSensor does not decode a chunked body", async (t) => {
  const head = HEAD.replace("\r\n\r\n", "\r\ntransfer-encoding: chunked\r\n\r\n");
  await t.step("of /version: the length of the chunk is no version", async () => {
    const body = INFO.slice(HEAD.length);
    const chunk = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    const { report } = await play([[head + chunk]]);
    assert.equal(report.outcome, "info-error");
    assert.equal(report.remoteVersion, "12");
  });
  await t.step("of /firmware: the lengths of the chunks are taken for firmware", async () => {
    const size = FIRMWARE.length.toString(16);
    const body = join(`${size}\r\n`, FIRMWARE, "\r\n0\r\n\r\n");
    const { report } = await play([[INFO], [join(head, body)]]);
    assert.equal(report.outcome, "reboot");
    assert.deepEqual(report.firmware, body);
  });
});

Deno.test("HomeSensor ignores the status, so an error text without line ends stalls it", async () => {
  const answer = "HTTP/1.1 404 Not Found\r\n\r\nNo firmware for device 'dev'";
  const kept = await play([[answer]], { timeoutMs: 100, keepOpen: true });
  assert.equal(kept.report.outcome, "info-error");
  assert.equal(kept.report.timedOut, true);
  assert.equal(kept.report.reads, 2);
  const closed = await play([[answer]]);
  assert.equal(closed.report.outcome, "info-error");
  assert.equal(closed.report.timedOut, false);
  assert.equal(closed.report.remoteVersion, "No firmware for device 'dev'");
});

Deno.test("HomeSensor reboots when the firmware is not as long as announced", async () => {
  for (const body of [FIRMWARE.subarray(1), join(FIRMWARE, "x")]) {
    const { report } = await play([[INFO], [join(HEAD, body)]]);
    assert.equal(report.outcome, "reboot");
    assert.equal(report.reason, `${body.length} bytes came and ${FIRMWARE.length} were announced`);
  }
});

Deno.test("HomeSensor reboots when the firmware's connection is not closed", async () => {
  const { report } = await play([[INFO], [join(HEAD, FIRMWARE)]], {
    timeoutMs: 100,
    keepOpen: true,
  });
  assert.equal(report.outcome, "reboot");
  assert.equal(report.timedOut, true);
  assert.deepEqual(report.firmware, FIRMWARE);
});

Deno.test("HomeSensor reboots when nobody listens", async () => {
  const options = {
    hostname: "127.0.0.1",
    port: freePort(),
    device: "dev",
    currentVersion: "1.0.0",
  };
  const { outcome, reads } = await new HomeSensor(options).check();
  assert.deepEqual([outcome, reads], ["reboot", 0]);
});

Deno.test("HomeSensor has room for 1,024 bytes of a head and no more", async () => {
  const padded = (length: number): string =>
    `HTTP/1.1 200 OK\r\nx: ${"x".repeat(length - "HTTP/1.1 200 OK\r\nx: \r\n\r\n".length)}\r\n\r\n`;
  const body = INFO.slice(HEAD.length);
  for (
    const [headBytes, outcome] of [[1024 - body.length, "updated"], [1024, "info-error"], [
      1025,
      "info-error",
    ]] as const
  ) {
    const { report } = await play([[padded(headBytes) + body], [join(HEAD, FIRMWARE)]]);
    assert.equal(report.outcome, outcome, `${headBytes}`);
  }
});

Deno.test("HomeSensor lets something happen between its requests", async () => {
  const seen: number[] = [];
  const scripts = [[INFO], [join(HEAD, FIRMWARE)]];
  await using server = new ScriptedServer(scripts);
  const sensor = new HomeSensor({
    hostname: "127.0.0.1",
    port: server.port,
    device: "dev",
    currentVersion: "1.0.0",
    betweenRequests: () => Promise.resolve(void seen.push(server.requests.length)),
  });
  assert.equal((await sensor.check()).outcome, "updated");
  assert.deepEqual(seen, [1]);
});

Deno.test("isNewerForSensor() orders versions as the device does", () => {
  const rising = [
    "0.9.9",
    "v1.0.0-alpha",
    "1.0.0-alpha.0",
    "V1.0.0-Alpha2",
    "1.0.0-beta",
    "1.0.0-rc.9",
    "1.0.0-rc10",
    "1.0.0-dev",
    "1.0.0-7",
    " 1.0.0\r",
    "1.0.1",
    "1.10.0",
    "2.0.0",
  ];
  for (const [older, low] of rising.entries()) {
    for (const [newer, high] of rising.entries()) {
      const [a, b] = [parseSensorVersion(low), parseSensorVersion(high)];
      assert(a && b);
      assert.equal(isNewerForSensor(b, a), newer > older, `${high} over ${low}`);
    }
  }
});

Deno.test("parseSensorVersion() cannot read what is not three numbers", () => {
  for (const text of ["", "1", "1.2", "1.2.3.4", "1.2.3+4", "1.2.x", "1.2.4294967296", "-1.2.3"]) {
    assert.equal(parseSensorVersion(text), undefined, text);
  }
  const [word, other] = [parseSensorVersion("1.0.0-dev"), parseSensorVersion("1.0.0-zzz+5")];
  assert(word && other);
  assert.equal(isNewerForSensor(word, other) || isNewerForSensor(other, word), false);
});
