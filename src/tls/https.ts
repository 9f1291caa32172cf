/**
 * HTTPS with a certificate out of two files, which may change at any time.
 *
 * @module
 */

import { logger } from "../log.ts";
import {
  type CertificatePaths,
  checkPair,
  datesComplaint,
  lastMoment,
  readPair,
} from "./certificate.ts";
import { CertificateReloader } from "./reloader.ts";
import { TlsServer, type TlsServerOptions } from "./server.ts";

const log = logger("tls");

/** A gateway without a battery begins in the past at each start. */
const CLOCK_FIRST = "look at this machine's clock (date), then have the certificate renewed";

/** Options of {@linkcode HttpsServer.start}. */
export interface HttpsServerOptions extends Omit<TlsServerOptions, "pair"> {
  /** The files of certificate and key. */
  readonly paths: CertificatePaths;
}

/** A server that follows the files of its certificate. */
export class HttpsServer {
  readonly #server: TlsServer;
  readonly #reloader: CertificateReloader;

  private constructor(server: TlsServer, reloader: CertificateReloader) {
    this.#server = server;
    this.#reloader = reloader;
  }

  /**
   * Listens. A certificate that is not valid at this time is served all the same: the clock of a
   * gateway may not be set yet, and not every device looks at dates.
   *
   * @param options Where, with what, and who answers.
   * @returns The server.
   * @throws {CertificateError} The certificate cannot be used.
   * @throws {Error} It cannot listen there.
   */
  static async start({ paths, ...options }: HttpsServerOptions): Promise<HttpsServer> {
    const pair = await readPair(paths);
    checkPair(pair);
    const reason = datesComplaint(pair, Date.now());
    if (reason !== undefined) {
      log.warn("Certificate is used all the same", { reason, next: CLOCK_FIRST });
    }
    const server = new TlsServer({ ...options, pair });
    const reloader = new CertificateReloader({ paths, pair, use: (pair) => server.use(pair) });
    reloader.start();
    return new HttpsServer(server, reloader);
  }

  /** Where it listens. */
  get addr(): Deno.NetAddr {
    return this.#server.addr;
  }

  /** The last moment at which the certificate in use is valid. */
  get validTo(): Date {
    return lastMoment(this.#reloader.inUse);
  }

  /**
   * Looks at once whether there is another certificate.
   *
   * @returns When it is in use or refused. It never fails.
   */
  async reload(): Promise<void> {
    await this.#reloader.reload();
  }

  /**
   * Stops accepting, and lets requests under way end.
   *
   * @returns When they have.
   */
  async shutdown(): Promise<void> {
    this.#reloader.stop();
    await this.#server.shutdown();
  }
}
