/**
 * What listens: for devices, by https where there is a certificate, and for operators.
 *
 * @module
 */

import { ReaderStopped } from "../api/downloads.ts";
import type { Config } from "../config/config.ts";
import type { ListenAddress } from "../config/values.ts";
import { describeError } from "../errors.ts";
import { LastingServer } from "../lasting_server.ts";
import { logger } from "../log.ts";
import type { Metrics } from "../metrics/metrics.ts";
import { CertificateError } from "../tls/certificate.ts";
import { HttpsServer } from "../tls/https.ts";
import { CannotStart } from "./cannot_start.ts";

const log = logger("main");

/** What listens. */
export interface Listener {
  /** Stops accepting, and lets requests under way end. */
  shutdown(): Promise<void>;
  /** Reads files that may have changed, and never fails; undefined where there are none. */
  readonly reload?: (() => Promise<void>) | undefined;
}

/**
 * Listens for devices.
 *
 * @param config Where, and with which certificate.
 * @param service Answers, and is told until when the certificate is valid.
 * @returns What listens.
 * @throws {CannotStart} It cannot listen there, or the certificate cannot be used.
 */
export async function listenForDevices(
  { listen, idleMs, edge: { tls } }: Config,
  { forDevices: handler, metrics }: {
    readonly forDevices: Deno.ServeHandler;
    readonly metrics: Metrics;
  },
): Promise<Listener> {
  if (tls === undefined) return serve("Devices", listen, handler);
  try {
    const server = await HttpsServer.start({ ...listen, paths: tls, idleMs, handler, onError });
    metrics.tls.observe(server);
    log.info("Devices are served", { ...server.addr, scheme: "https" });
    return server;
  } catch (error) {
    if (!(error instanceof CertificateError)) throw cannotListen(listen, error);
    const message = `--tls-cert-path and --tls-key-path: ${error.message}`;
    throw new CannotStart(message, { isUsage: true });
  }
}

/**
 * Listens for operators.
 *
 * @param config Where.
 * @param handler Answers.
 * @returns What listens.
 * @throws {CannotStart} It cannot listen there.
 */
export function listenForOperators(
  { metricsListen }: Config,
  handler: Deno.ServeHandler,
): Listener {
  return serve("Metrics", metricsListen, handler);
}

function serve(what: string, address: ListenAddress, handler: Deno.ServeHandler): Listener {
  try {
    const server = new LastingServer({ ...address, handler, onError });
    log.info(`${what} are served`, { ...server.addr });
    return server;
  } catch (error) {
    throw cannotListen(address, error);
  }
}

function onError(error: unknown): Response {
  // Seen on Deno 2.9.6 with HTTP/2: a body that ends before its first byte was taken comes here, too.
  if (!(error instanceof ReaderStopped)) {
    log.error("Request failed outside of the routes", { reason: describeError(error) });
  }
  return new Response(null, { status: 500 });
}

function cannotListen({ hostname, port }: ListenAddress, error: unknown): CannotStart {
  const address = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  const next = `${adviseListening(error)}see --listen-addr and --metrics-listen-addr`;
  return new CannotStart(`Cannot listen on ${address}: ${describeError(error)}; ${next}`);
}

function adviseListening(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return "end what listens there, or take another port: ";
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return "ports below 1024 want a privilege (docs/deployment.md), or take another: ";
  }
  return error instanceof Deno.errors.AddrNotAvailable ? "this machine has no such address: " : "";
}
