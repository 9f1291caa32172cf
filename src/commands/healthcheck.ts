/**
 * `otaflux healthcheck`: for images that hold nothing else that could ask.
 *
 * @module
 */

import { request as requestPlain } from "node:http";
import { request as requestTls } from "node:https";
import { text } from "node:stream/consumers";
import { describeError } from "../errors.ts";

/** How long all may take, in milliseconds: less than the limits of the deployments' probes. */
const TIMEOUT_MS = 4000;

/** Addresses that mean all of a machine's, and where such a service is asked. */
const LOOPBACK: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/** Options of {@linkcode healthcheck}. */
export interface HealthcheckOptions {
  /** Where the service listens. */
  readonly listen: { readonly hostname: string; readonly port: number };
  /** Whether it speaks TLS there. @default false */
  readonly isTls?: boolean;
}

/**
 * Asks a service on this machine whether it is ready.
 *
 * @param options Where it listens.
 * @returns Why it is not, in one line; undefined where it is.
 */
export async function healthcheck(options: HealthcheckOptions): Promise<string | undefined> {
  const origin = originOf(options);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const { status, body } = await get(`${origin}/ready`, signal);
    return status === 200 ? undefined : `${origin} is not ready, it answers ${status}: ${body}`;
  } catch (error) {
    const reason = signal.aborted ? `nothing in ${TIMEOUT_MS / 1000} s` : describeError(error);
    return `${origin} does not answer: ${reason}`;
  }
}

function originOf({ listen, isTls = false }: HealthcheckOptions): string {
  const hostname = LOOPBACK[listen.hostname] ?? listen.hostname;
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return `${isTls ? "https" : "http"}://${host}:${listen.port}`;
}

/** Not by `fetch`: it cannot leave a certificate unverified, which names what devices call us. */
function get(
  url: string,
  signal: AbortSignal,
): Promise<{ readonly status: number | undefined; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const options = { signal, agent: false } as const;
    const request = url.startsWith("https:")
      // It is this machine that is asked, and nothing secret is said.
      ? requestTls(url, { ...options, rejectUnauthorized: false })
      : requestPlain(url, options);
    request.on("error", reject);
    request.on("response", (response) => {
      text(response).then(
        (body) =>
          resolve({ status: response.statusCode, body: body.replaceAll(/\s+/g, " ").trim() }),
        reject,
      );
    });
    request.end();
  });
}
