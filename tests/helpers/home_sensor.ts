/**
 * The device that exists: a model of the update check of `esp32-home-sensor` on plain TCP, byte for
 * byte as far as a server can tell, with all that it leaves unchecked.
 *
 * @module
 * @see https://github.com/etiennetremel/esp32-home-sensor/blob/77ea941/src/ota.rs
 */

import { isNewerForSensor, parseSensorVersion, parseUnsigned } from "./home_sensor_version.ts";

/** Of the request, beyond which the device gives up before it sends. */
const REQUEST_LIMIT_BYTES = 512;
/** Of a response's head, with as much of its body as came along. */
const HEAD_BUFFER_BYTES = 1024;
/** Of the buffer that gathers firmware for the flash, which takes words of four bytes. */
const WRITE_BUFFER_BYTES = 2048;
const FLASH_WORD_BYTES = 4;
/** How long the device waits for the next byte. */
const TIMEOUT_MS = 30_000;

/** Which device plays, and against whom. */
export interface HomeSensorOptions {
  /** Where to connect; sent as Host, without the port. */
  readonly hostname: string;
  /** Where to connect. */
  readonly port: number;
  /** Sent as it is, without any encoding. */
  readonly device: string;
  /** What the device runs. */
  readonly currentVersion: string;
  /** Silence after which the connection is lost, in milliseconds. @default 30000 */
  readonly timeoutMs?: number;
  /** Awaited when /version was understood and before /firmware is asked for. @default nothing */
  readonly betweenRequests?: () => Promise<void>;
  /** Told the bytes of each read from the socket, so that a server can write in step. */
  readonly onRead?: (count: number) => void;
}

/**
 * What a check comes to. `info-error`: the device skips this round, its measurements too.
 * `reboot`: it starts anew and checks again at once.
 */
export type HomeSensorOutcome = "up-to-date" | "updated" | "info-error" | "reboot";

/** What a check came to, and how. */
export interface HomeSensorReport {
  /** What the device does next. */
  readonly outcome: HomeSensorOutcome;
  /** Why; absent when nothing went wrong. */
  readonly reason?: string;
  /** Whether the server kept silent for too long. */
  readonly timedOut: boolean;
  /** Reads from the socket until /version was complete in the device's eyes. */
  readonly reads: number;
  /** Length of the head of the answer to /version, its empty line included; 0 if never seen. */
  readonly headBytes: number;
  /** The same of /firmware. */
  readonly firmwareHeadBytes: number;
  /** First line of /version, whatever it says. */
  readonly remoteVersion?: string;
  /** Second line of /version, which the device reads and never compares. */
  readonly announcedCrc32?: number;
  /** Third line of /version, as far as it had come. */
  readonly announcedSize?: number;
  /** What the device took for the firmware; absent when it never asked. */
  readonly firmware?: Uint8Array;
}

/** Plays the device; every check is a connection of its own. */
export class HomeSensor {
  readonly #options: HomeSensorOptions;

  /** Makes a device that does nothing yet. */
  constructor(options: HomeSensorOptions) {
    this.#options = options;
  }

  /**
   * Checks for an update once, as the device does at boot and every hour. Whatever the server does
   * is an outcome; this rejects only when `betweenRequests` does.
   */
  async check(): Promise<HomeSensorReport> {
    const report: Draft = {
      outcome: "updated",
      timedOut: false,
      reads: 0,
      headBytes: 0,
      firmwareHeadBytes: 0,
    };
    try {
      await this.#check(report);
    } catch (error) {
      if (!(error instanceof GivenUp)) throw error;
      report.outcome = error.outcome;
      report.reason = error.message;
    }
    return report;
  }

  async #check(report: Draft): Promise<void> {
    using session = await Session.connect(this.#options, report);
    const info = await this.#askVersion(session, report);
    if (!understandInfo(info, this.#options.currentVersion, report)) return;

    await this.#options.betweenRequests?.();
    await session.send(this.#request("", "firmware", "close"));
    const firmware = await session.readHead("reboot");
    report.firmwareHeadBytes = firmware.bodyStart;
    await readFirmware(session, firmware, report);
    const got = report.firmware?.length;
    if (got !== report.announcedSize) {
      throw new GivenUp("reboot", `${got} bytes came and ${report.announcedSize} were announced`);
    }
  }

  async #askVersion(session: Session, report: Draft): Promise<Head> {
    await session.send(this.#request("\r\n", "version", "keep-alive"));
    try {
      const info = await session.readHead("info-error");
      report.headBytes = info.bodyStart;
      await this.#readInfo(session, info);
      return info;
    } finally {
      report.reads = session.reads;
    }
  }

  #request(prefix: string, path: string, connection: string): Uint8Array {
    const { device, hostname } = this.#options;
    const request = new TextEncoder().encode(
      `${prefix}GET /${path}?device=${device} HTTP/1.1\r\n` +
        `Host: ${hostname}\r\nConnection: ${connection}\r\n\r\n`,
    );
    if (request.length > REQUEST_LIMIT_BYTES) throw new GivenUp("reboot", "Request is too long");
    return request;
  }

  /** Reads on until two line ends are there, though a third line may still be on its way. */
  async #readInfo(session: Session, info: Head): Promise<void> {
    const isComplete = (): boolean => info.body.filter((byte) => byte === LINE_FEED).length >= 2;
    while (!isComplete()) {
      if (info.isFull) throw new GivenUp("info-error", "Answer does not fit the buffer");
      if (await session.readInto(info, "info-error") === 0) return;
    }
  }
}

/** The buffer that a response is read into, and where its body begins. */
class Head {
  readonly #buffer = new Uint8Array(HEAD_BUFFER_BYTES);
  #length = 0;
  #bodyStart = 0;

  /** Offset behind the first empty line; 0 while none has come. */
  get bodyStart(): number {
    return this.#bodyStart;
  }

  get body(): Uint8Array {
    return this.#buffer.subarray(this.#bodyStart, this.#length);
  }

  get free(): Uint8Array {
    return this.#buffer.subarray(this.#length);
  }

  get isFull(): boolean {
    return this.#length === this.#buffer.length;
  }

  filled(count: number): void {
    this.#length += count;
    if (this.#bodyStart > 0) return;
    const at = latin1(this.#buffer.subarray(0, this.#length)).indexOf("\r\n\r\n");
    this.#bodyStart = at < 0 ? 0 : at + 4;
  }
}

/** A connection, with the little that the device knows to do with it. */
class Session implements Disposable {
  readonly #connection: Deno.Conn;
  readonly #options: HomeSensorOptions;
  readonly #report: Draft;
  #reads = 0;

  private constructor(connection: Deno.Conn, options: HomeSensorOptions, report: Draft) {
    this.#connection = connection;
    this.#options = options;
    this.#report = report;
  }

  static async connect(options: HomeSensorOptions, report: Draft): Promise<Session> {
    const { hostname, port } = options;
    try {
      return new Session(await Deno.connect({ hostname, port }), options, report);
    } catch (error) {
      throw new GivenUp("reboot", "Cannot connect", { cause: error });
    }
  }

  get reads(): number {
    return this.#reads;
  }

  async send(request: Uint8Array): Promise<void> {
    for (let sent = 0; sent < request.length;) {
      try {
        sent += await this.#connection.write(request.subarray(sent));
      } catch (error) {
        throw new GivenUp("reboot", "Connection broke while sending", { cause: error });
      }
    }
  }

  /** Reads until the first empty line; the status and all headers go unread. */
  async readHead(onFailure: HomeSensorOutcome): Promise<Head> {
    const head = new Head();
    while (head.bodyStart === 0) {
      if (head.isFull) throw new GivenUp(onFailure, "Head does not fit the buffer");
      if (await this.readInto(head, onFailure) === 0) {
        throw new GivenUp(onFailure, "Connection ended within a head");
      }
    }
    return head;
  }

  async readInto(head: Head, onFailure: HomeSensorOutcome): Promise<number> {
    const count = await this.read(head.free, onFailure);
    head.filled(count);
    return count;
  }

  /** Reads what is there, at least a byte; 0 at the end of the connection. */
  async read(buffer: Uint8Array, onFailure: HomeSensorOutcome): Promise<number> {
    this.#reads++;
    const timer = setTimeout(() => {
      this.#report.timedOut = true;
      this.#close();
    }, this.#options.timeoutMs ?? TIMEOUT_MS);
    try {
      const count = await this.#connection.read(buffer) ?? 0;
      this.#options.onRead?.(count);
      return count;
    } catch (error) {
      const reason = this.#report.timedOut ? "Server kept silent" : "Connection broke";
      throw new GivenUp(onFailure, reason, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  [Symbol.dispose](): void {
    if (!this.#report.timedOut) this.#close();
  }

  #close(): void {
    this.#connection.close();
  }
}

type Draft = { -readonly [Member in keyof HomeSensorReport]: HomeSensorReport[Member] };

/** Ends a check early. */
class GivenUp extends Error {
  readonly outcome: HomeSensorOutcome;

  constructor(outcome: HomeSensorOutcome, message: string, options?: ErrorOptions) {
    super(message, options);
    this.outcome = outcome;
  }
}

const LINE_FEED = 0x0a;

/** Reads the lines of /version, and tells whether they call for an update. */
function understandInfo(info: Head, currentVersion: string, report: Draft): boolean {
  const [version = "", crc32 = "", size = ""] = new TextDecoder().decode(info.body).split("\n");
  report.remoteVersion = version.trim();
  const remote = parseSensorVersion(version);
  const current = parseSensorVersion(currentVersion);
  if (!remote || !current) throw new GivenUp("info-error", "Version is none");
  if (!isNewerForSensor(remote, current)) {
    report.outcome = "up-to-date";
    return false;
  }
  const [announcedCrc32, announcedSize] = [crc32, size].map((line) => parseUnsigned(line.trim()));
  if (announcedCrc32 === undefined) throw new GivenUp("info-error", "CRC-32 is no number");
  report.announcedCrc32 = announcedCrc32;
  if (announcedSize === undefined) throw new GivenUp("info-error", "Size is no number");
  report.announcedSize = announcedSize;
  return true;
}

/** Reads to the end of the connection, in the portions that the write buffer has room for. */
async function readFirmware(session: Session, head: Head, report: Draft): Promise<void> {
  const portions = [head.body.slice()];
  const chunk = new Uint8Array(WRITE_BUFFER_BYTES);
  try {
    for (let buffered = head.body.length;;) {
      const room = chunk.subarray(0, WRITE_BUFFER_BYTES - buffered);
      const count = await session.read(room, "reboot");
      if (count === 0) return;
      portions.push(chunk.slice(0, count));
      buffered = (buffered + count) % FLASH_WORD_BYTES;
      // To tell its progress the device divides by a tenth of the size, in whole numbers.
      const size = report.announcedSize ?? 0;
      if (size > 0 && size < 10) throw new GivenUp("reboot", "Device panics on a tiny firmware");
    }
  } finally {
    report.firmware = new Uint8Array(await new Blob(portions).arrayBuffer());
  }
}

/** One character a byte, so that positions in the text are positions in the bytes. */
function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
