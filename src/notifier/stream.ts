/**
 * The way to the broker: TCP, TLS or WebSocket.
 *
 * @module
 */

import { connect as connectTcp } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
// @deno-types="./mqtt_ws.d.ts"
import { streamBuilder as connectWebSocket } from "mqtt/lib/connect/ws";
import type { MqttClient } from "./mqtt_client.d.ts";

/** Where the broker is. */
export interface BrokerAddress {
  /** How it is reached. */
  readonly protocol: "mqtt" | "mqtts" | "ws" | "wss";
  /** A name or an IP address, without brackets. */
  readonly hostname: string;
  /** Its port. */
  readonly port: number;
  /** Path and query of a WebSocket, such as `/mqtt`; empty otherwise. */
  readonly path: string;
}

/** What TLS is made with. */
export interface BrokerTls {
  /** Certificates in PEM that are trusted instead of public authorities; those where there are none. */
  readonly caCertificates: readonly string[];
  /** Who we are, in PEM. */
  readonly client: { readonly certificate: string; readonly key: string } | undefined;
}

/**
 * Opens a stream. What goes wrong is an `error` of the stream, then `close`.
 *
 * @param client The client that the stream is for.
 * @param address Where to.
 * @param tls For `mqtts` and `wss`.
 * @returns The stream; what is written is sent once it is connected.
 */
export function openStream(
  client: MqttClient,
  { protocol, hostname, port, path }: BrokerAddress,
  tls: BrokerTls,
): Duplex {
  // A small message must not wait for the confirmation of the one before: that takes 40 ms.
  if (protocol === "mqtt") return connectTcp({ host: hostname, port, noDelay: true });
  const { caCertificates, client: own } = tls;
  const secure = {
    ...(caCertificates.length > 0 && { ca: [...caCertificates] }),
    ...(own && { cert: own.certificate, key: own.key }),
  };
  if (protocol === "mqtts") {
    // RFC 6066, 3: no server name for an address.
    const servername = /^[\d.]+$|:/.test(hostname) ? {} : { servername: hostname };
    return connectTls({ host: hostname, port, ...servername, ...secure }).setNoDelay(true);
  }
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  const options = { protocol, hostname: host, port, path, wsOptions: { ...secure } };
  return connectWebSocket(client, options);
}
