/**
 * WebSockets in front of a broker that listens for TCP: Debian's mosquitto has them compiled in, but
 * does not listen in every container.
 *
 * @module
 */

import type { Certificates } from "./certificates.ts";

/** Hands bytes on between WebSockets and a TCP port. */
export class WebSocketFront implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #isSecure: boolean;
  readonly #connections = new Set<Deno.Conn>();
  readonly #piping = new Set<Promise<void>>();
  /** Path, query and subprotocols of each connection. */
  readonly asked: string[] = [];

  /** Listens on a free loopback port. */
  constructor(port: number, certificates?: Certificates) {
    this.#isSecure = certificates !== undefined;
    const tls = certificates && {
      cert: Deno.readTextFileSync(certificates.certPath),
      key: Deno.readTextFileSync(certificates.keyPath),
    };
    const options = { hostname: "127.0.0.1", port: 0, onListen: () => {}, ...tls };
    this.#server = Deno.serve(options, async (request) => {
      const { pathname, search } = new URL(request.url);
      this.asked.push(`${pathname}${search} ${request.headers.get("sec-websocket-protocol")}`);
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      this.#connections.add(connection);
      const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "mqtt" });
      socket.binaryType = "arraybuffer";
      const writer = connection.writable.getWriter();
      socket.onmessage = ({ data }): void =>
        void writer.write(new Uint8Array(data)).catch(() => {});
      socket.onclose = (): void => this.#close(connection);
      socket.onopen = (): void => void this.#piping.add(this.#pipe(connection, socket));
      return response;
    });
  }

  /** What `--mqtt-url` takes, without a path. */
  get url(): string {
    return `${this.#isSecure ? "wss://localhost" : "ws://127.0.0.1"}:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) this.#close(connection);
    await Promise.all(this.#piping);
    await this.#server.shutdown();
  }

  async #pipe(connection: Deno.Conn, socket: WebSocket): Promise<void> {
    try {
      for await (const bytes of connection.readable) socket.send(bytes);
    } catch {
      // Closed from this side.
    }
    socket.close();
  }

  #close(connection: Deno.Conn): void {
    if (!this.#connections.delete(connection)) return;
    try {
      connection.close();
    } catch {
      // The broker was faster.
    }
  }
}
