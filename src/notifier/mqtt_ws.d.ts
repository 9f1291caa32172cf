/** The part of mqtt 5 that makes streams of WebSockets; see `mqtt_client.d.ts`. */

import type { Duplex } from "node:stream";
import type { MqttClient } from "./mqtt_client.d.ts";

/** Where to. */
export interface WebSocketOptions {
  /** With or without TLS. */
  readonly protocol: "ws" | "wss";
  /** With brackets where it is an IPv6 address. */
  readonly hostname: string;
  /** The port. */
  readonly port: number;
  /** Path and query. */
  readonly path: string;
  /** What TLS is made with. */
  readonly wsOptions: {
    readonly ca?: readonly string[];
    readonly cert?: string;
    readonly key?: string;
  };
}

/** Opens a stream. */
export function streamBuilder(client: MqttClient, options: WebSocketOptions): Duplex;
