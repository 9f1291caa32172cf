/**
 * A server that outlasts a lack of files: each connection is one, and whoever opens as many as the
 * process may have would end it.
 *
 * @module
 */

import { describeError } from "./errors.ts";
import { logger } from "./log.ts";

const log = logger("server");

/** How long it waits before it listens again, in milliseconds. */
const PAUSE_MS = 500;

/** What {@linkcode LastingServer} is made of. */
export interface LastingServerOptions {
  /** Where it listens. */
  readonly hostname: string;
  /** 0 for any free port, which is kept. */
  readonly port: number;
  /** Answers requests. */
  readonly handler: Deno.ServeHandler;
  /** Answers where the handler has thrown. */
  readonly onError: (error: unknown) => Response;
}

/**
 * `Deno.serve`, begun anew whenever it ends by itself: seen on Deno 2.9.6, it ends with the first
 * connection that the system refuses to hand over. Connections that it has taken go on.
 */
export class LastingServer {
  readonly #options: LastingServerOptions;
  #server: Deno.HttpServer<Deno.NetAddr>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isEnding = false;

  /**
   * Listens.
   *
   * @param options Where, and what answers.
   * @throws {Error} The address cannot be listened on.
   */
  constructor(options: LastingServerOptions) {
    this.#server = serve(options);
    this.#options = { ...options, port: this.#server.addr.port };
    this.#watch();
  }

  /** Where it listens. */
  get addr(): Deno.NetAddr {
    return this.#server.addr;
  }

  /** Stops accepting, and lets requests under way end. */
  async shutdown(): Promise<void> {
    this.#isEnding = true;
    clearTimeout(this.#timer);
    await this.#server.shutdown();
  }

  #watch(): void {
    this.#server.finished.catch((error) => {
      log.error("Connections cannot be taken, listening again", { reason: describeError(error) });
      this.#listenLater();
    });
  }

  #listenLater(): void {
    if (this.#isEnding) return;
    this.#timer = setTimeout(() => {
      try {
        this.#server = serve(this.#options);
        this.#watch();
        log.info("Connections are taken again", { ...this.addr });
      } catch {
        this.#listenLater();
      }
    }, PAUSE_MS);
  }
}

function serve(
  { hostname, port, handler, onError }: LastingServerOptions,
): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname, port, onListen: () => {}, onError }, handler);
}
