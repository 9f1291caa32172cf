/**
 * A device's way to the service, over a connection that it keeps or opens for each poll.
 *
 * @module
 */

import { type Cut, DeviceConnection, type Head } from "./connection.ts";
import type { Findings } from "./findings.ts";
import type { Service } from "./service.ts";

/** An answer whose body is still to be read. */
export interface Answer extends Head {
  /** What was asked for. */
  readonly path: string;
  /** When it was asked, by the steady clock. */
  readonly askedMs: number;
  /** Which process answers. */
  readonly life: number;
  /** Length of the body in bytes. */
  readonly length: number;
  /** The body as it comes; whoever does not read all of it has to disconnect. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** Options of {@linkcode DeviceClient}. */
export interface DeviceClientOptions {
  readonly service: Service;
  readonly findings: Findings;
  /** What a proxy in front says is the device's address. @default there is none */
  readonly address: string | undefined;
}

/** Asks the service. */
export class DeviceClient {
  readonly #options: DeviceClientOptions;
  #connection: { readonly socket: DeviceConnection; readonly life: number } | undefined;
  #openedMs = 0;
  #askedMs = 0;

  constructor(options: DeviceClientOptions) {
    this.#options = options;
  }

  /** Asks for something. @throws {Cut} */
  async get(
    path: string,
    headers: Readonly<Record<string, string | undefined>> = {},
  ): Promise<Answer> {
    const { service, findings, address } = this.#options;
    if (this.#connection === undefined) {
      this.#askedMs = this.#openedMs = performance.now();
      const life = service.life;
      this.#connection = { socket: await DeviceConnection.open(service.port), life };
    }
    const { socket, life } = this.#connection;
    const askedMs = this.#askedMs = performance.now();
    findings.count("requests");
    const head = await socket.get(path, { "x-forwarded-for": address, ...headers });
    const length = Number(head.headers.get("content-length") ?? 0);
    return { ...head, path, askedMs, life, length, body: socket.read(length) };
  }

  /** Lets go of the connection, whatever is under way. */
  disconnect(): void {
    this.#connection?.socket[Symbol.dispose]();
    this.#connection = undefined;
  }

  /** Whether the service was killed or paused, so that it may have come to this. */
  excuses(cut: Cut): boolean {
    // A connection may have been cut long before it is used again.
    return this.#options.service.excuses(cut, {
      sinceMs: cut.isTimeout ? this.#askedMs : this.#openedMs,
    });
  }
}

/** Reads a body that is a text. */
export async function readText({ body }: Answer): Promise<string> {
  const text = new TextDecoder();
  let read = "";
  for await (const chunk of body) read += text.decode(chunk, { stream: true });
  return read + text.decode();
}
