/**
 * HTTPS on a listener that stays open while its certificate changes.
 *
 * `Deno.serve` takes its certificate once. A second server on the same port (`reusePort`) would
 * lose what the first one's socket had not accepted yet when it closes: a few connections at each
 * change under load. So the port that devices know is a plain one, which never closes. What it
 * accepts is passed, encrypted as it is, to a `Deno.serve` on the loopback interface, which has the
 * newest certificate; one with an older certificate stays until its last connection has ended.
 *
 * @module
 */

import { describeError } from "../errors.ts";
import { logger } from "../log.ts";
import { CertificateError, type CertificatePair } from "./certificate.ts";
import { relay } from "./relay.ts";

/** Where the servers behind the listener are: nobody but this machine reaches them. */
const LOOPBACK = "127.0.0.1";

/** How long accepting pauses after it failed: it does for want of files, which others close. */
const ACCEPT_PAUSE_MS = 100;

/** So much longer a relay waits than who answers: that one knows what for, and says so. */
const RELAY_PATIENCE = 2;

const log = logger("tls");

/** Options of {@linkcode TlsServer}. */
export interface TlsServerOptions {
  /** The name or address to listen on. */
  readonly hostname: string;
  /** The port; 0 for any free one. */
  readonly port: number;
  /** The first certificate. */
  readonly pair: CertificatePair;
  /** How long a client may ask nothing at first, or take nothing of an answer, in milliseconds. */
  readonly idleMs: number;
  /** Answers requests; is told the client's own address. */
  readonly handler: Deno.ServeHandler<Deno.NetAddr>;
  /** Answers requests whose handler failed. */
  readonly onError: (error: unknown) => Response;
}

/** Whose connection is passed on. */
interface Client {
  readonly address: Deno.NetAddr;
  /** Ends a connection on which nothing has been asked yet: nothing else limits how long it is. */
  readonly patience: { readonly timer: ReturnType<typeof setTimeout>; readonly end: () => void };
  /** Whether a request has come on it. */
  hasAsked: boolean;
}

/** A server with one certificate, and whom it serves. */
interface Backend {
  readonly server: Deno.HttpServer<Deno.NetAddr>;
  /** Clients by the ports of the connections that are passed on for them. */
  readonly clients: Map<number, Client>;
  /** How many connections are passed on, or about to be. */
  connections: number;
}

/** An HTTPS server whose certificate can be changed. */
export class TlsServer {
  readonly #options: TlsServerOptions;
  readonly #listener: Deno.TcpListener;
  readonly #backends = new Set<Backend>();
  readonly #connections = new Set<Promise<void>>();
  #newest: Backend;
  #isEnding = false;

  /**
   * Listens.
   *
   * @param options Where, with what, and who answers.
   * @throws {CertificateError} The certificate cannot be used.
   * @throws {Error} It cannot listen there.
   */
  constructor(options: TlsServerOptions) {
    this.#options = options;
    this.#listener = Deno.listen({ hostname: options.hostname, port: options.port });
    try {
      this.#newest = this.#start(options.pair);
    } catch (error) {
      this.#listener.close();
      throw error;
    }
    this.#accept();
  }

  /** Where it listens. */
  get addr(): Deno.NetAddr {
    return this.#listener.addr;
  }

  /** How many certificates are in use: the newest, and those of connections from before. */
  get certificates(): number {
    return this.#backends.size;
  }

  /**
   * Has connections from now on greeted with another certificate. Those that are open go on.
   *
   * @param pair The certificate and its key.
   * @throws {CertificateError} It cannot be used; the one before goes on being used.
   */
  use(pair: CertificatePair): void {
    const previous = this.#newest;
    this.#newest = this.#start(pair);
    this.#endIfUnused(previous);
  }

  /**
   * Stops accepting, and lets requests under way end. Connections without any end at once.
   *
   * @returns When they have.
   */
  async shutdown(): Promise<void> {
    this.#isEnding = true;
    this.#listener.close();
    for (const { clients } of this.#backends) {
      // `Deno.serve` would wait for whoever has not even greeted it.
      for (const { hasAsked, patience } of clients.values()) if (!hasAsked) patience.end();
    }
    await Promise.all([...this.#backends].map(({ server }) => server.shutdown()));
    // What the servers have sent is still on its way.
    await Promise.all(this.#connections);
  }

  #start(pair: CertificatePair): Backend {
    const { handler, onError } = this.#options;
    const clients: Backend["clients"] = new Map();
    const server = serveWith(pair, onError, (request, info) => {
      const client = clients.get(info.remoteAddr.port);
      // Somebody on this machine has found the port.
      if (client === undefined) return new Response(null, { status: 403 });
      client.hasAsked = true;
      clearTimeout(client.patience.timer);
      return handler(request, {
        remoteAddr: client.address,
        // A promise that nobody has asked for would end the program when a client leaves early.
        get completed(): Promise<void> {
          return info.completed;
        },
      });
    });
    const backend = { server, clients, connections: 0 };
    this.#backends.add(backend);
    server.finished.catch((error) => this.#replace(backend, pair, error));
    return backend;
  }

  /** A server ends by itself where files are wanting; its connections go on. */
  #replace(backend: Backend, pair: CertificatePair, error: unknown): void {
    log.error("Cannot take connections over", { reason: describeError(error) });
    if (backend !== this.#newest) return;
    const attempt = (): void => {
      if (backend !== this.#newest || this.#isEnding) return;
      try {
        this.#newest = this.#start(pair);
        this.#endIfUnused(backend);
      } catch {
        setTimeout(attempt, ACCEPT_PAUSE_MS);
      }
    };
    setTimeout(attempt, ACCEPT_PAUSE_MS);
  }

  #endIfUnused(backend: Backend): void {
    if (backend === this.#newest || backend.connections > 0) return;
    this.#backends.delete(backend);
    // Nothing is under way in it, so nothing can fail that anybody waits for.
    void backend.server.shutdown();
  }

  async #accept(): Promise<void> {
    for (;;) {
      try {
        const connection = this.#serve(await this.#listener.accept());
        this.#connections.add(connection);
        void connection.then(() => this.#connections.delete(connection));
      } catch (error) {
        if (isClosed(error)) return;
        log.error("Cannot accept connections", { reason: describeError(error) });
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
      }
    }
  }

  async #serve(client: Deno.TcpConn): Promise<void> {
    const backend = this.#newest;
    // Counted before the connection is made: the backend must not end meanwhile.
    backend.connections++;
    let connection: Deno.TcpConn | undefined;
    try {
      const { port } = backend.server.addr;
      connection = await Deno.connect({ hostname: LOOPBACK, port });
      await this.#passOn(client, { to: connection, clients: backend.clients });
    } catch (error) {
      log.error("Cannot serve a connection", { reason: describeError(error) });
    } finally {
      connection?.[Symbol.dispose]();
      client[Symbol.dispose]();
      backend.connections--;
      this.#endIfUnused(backend);
    }
  }

  async #passOn(
    client: Deno.TcpConn,
    { to, clients }: Pick<Backend, "clients"> & { readonly to: Deno.TcpConn },
  ): Promise<void> {
    const { port } = to.localAddr;
    const end = (): void => [client, to].forEach((connection) => connection[Symbol.dispose]());
    const timer = setTimeout(end, this.#options.idleMs);
    clients.set(port, { address: client.remoteAddr, patience: { timer, end }, hasAsked: false });
    try {
      for (const connection of [client, to]) connection.setNoDelay();
      await relay(client, to, { idleMs: this.#options.idleMs * RELAY_PATIENCE });
    } finally {
      clearTimeout(timer);
      clients.delete(port);
    }
  }
}

function serveWith(
  { cert, key }: CertificatePair,
  onError: TlsServerOptions["onError"],
  handler: Deno.ServeHandler<Deno.NetAddr>,
): Backend["server"] {
  try {
    const address = { hostname: LOOPBACK, port: 0, onListen: (): void => {} };
    return Deno.serve({ ...address, cert, key, onError }, handler);
  } catch (cause) {
    // It knows fewer kinds of keys than the check before.
    throw new CertificateError(`The certificate cannot be served: ${describeError(cause)}`);
  }
}

function isClosed(error: unknown): boolean {
  return error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted;
}
