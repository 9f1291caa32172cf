/**
 * HTTP/1.1 as a small device speaks it: one connection, kept or not, whose body can be read slowly,
 * in part, or not at all.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** The head of an answer. */
export interface Head {
  readonly status: number;
  /** By their names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
}

/** The connection was refused, broke off, or nothing came for too long. */
export class Cut extends Error {
  override readonly name = "Cut";
  /** Whether nothing came for too long. */
  readonly isTimeout: boolean;

  constructor(message: string, { isTimeout = false, cause }: {
    readonly isTimeout?: boolean;
    readonly cause?: unknown;
  } = {}) {
    super(message, { cause });
    this.isTimeout = isTimeout;
  }
}

/** Longer than any pause of the service's and all that waits behind it, in milliseconds. */
const PATIENCE_MS = 20_000;

const CHUNK_BYTES = 16 * 1024;

/** A connection to the service. */
export class DeviceConnection implements Disposable {
  readonly #socket: Deno.Conn;
  readonly #chunk = new Uint8Array(CHUNK_BYTES);
  #unread: Uint8Array = new Uint8Array();
  #isOpen = true;
  #isLate = false;

  private constructor(socket: Deno.Conn) {
    this.#socket = socket;
  }

  /** Connects to a port of the loopback interface. @throws {Cut} Nobody listens there. */
  static async open(port: number): Promise<DeviceConnection> {
    try {
      return new DeviceConnection(await Deno.connect({ hostname: "127.0.0.1", port }));
    } catch (cause) {
      throw new Cut("refused", { cause });
    }
  }

  /** Sends a GET, without headers that are undefined, and reads the head of the answer. @throws {Cut} */
  async get(
    path: string,
    headers: Readonly<Record<string, string | undefined>>,
  ): Promise<Head> {
    const lines = Object.entries(headers).map(([name, value]) =>
      value === undefined ? "" : `${name}: ${value}\r\n`
    );
    const request = `GET ${path} HTTP/1.1\r\nHost: ota\r\n${lines.join("")}\r\n`;
    await this.#patiently("in the request", async () => {
      const bytes = new TextEncoder().encode(request);
      for (let sent = 0; sent < bytes.length;) {
        sent += await this.#socket.write(bytes.subarray(sent));
      }
    });
    let bytes = Buffer.alloc(0);
    for (;;) {
      bytes = Buffer.concat([bytes, await this.#take(Infinity, "before the head")]);
      const end = bytes.indexOf("\r\n\r\n");
      if (end === -1) continue;
      this.#unread = bytes.subarray(end + 4);
      const [first = "", ...fields] = bytes.toString("latin1", 0, end).split("\r\n");
      return { status: Number(first.slice(9, 12)), headers: new Map(fields.map(parseField)) };
    }
  }

  /** Reads so many bytes as they come. Whoever does not read all of them has to let go. */
  async *read(length: number): AsyncGenerator<Uint8Array> {
    for (let left = length; left > 0;) {
      const chunk = await this.#take(left, `${left} of ${length} bytes before the end`);
      left -= chunk.length;
      yield chunk;
    }
  }

  /** Lets go, whatever is under way. */
  [Symbol.dispose](): void {
    if (this.#isOpen) this.#socket.close();
    this.#isOpen = false;
  }

  /** Takes what there is, up to a limit, or waits for more. The chunk is the caller's. */
  async #take(limit: number, where: string): Promise<Uint8Array> {
    if (this.#unread.length === 0) {
      await this.#patiently(where, async () => {
        const count = await this.#socket.read(this.#chunk);
        if (count === null) throw new Error("the connection was closed");
        this.#unread = this.#chunk.slice(0, count);
      });
    }
    const taken = this.#unread.subarray(0, limit);
    this.#unread = this.#unread.subarray(taken.length);
    return taken;
  }

  async #patiently(where: string, work: () => Promise<void>): Promise<void> {
    const timer = setTimeout(() => {
      this.#isLate = true;
      this[Symbol.dispose]();
    }, PATIENCE_MS);
    try {
      await work();
    } catch (cause) {
      const isTimeout = this.#isLate;
      throw new Cut(isTimeout ? `waited too long ${where}` : `cut ${where}`, { isTimeout, cause });
    } finally {
      clearTimeout(timer);
    }
  }
}

function parseField(line: string): [name: string, value: string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}
