/**
 * A client of the `mqtt` package that connects once, and leaves all else to who made it.
 *
 * @module
 */

// @deno-types="./mqtt_client.d.ts"
import clientModule from "mqtt/lib/client";
import type { MqttClient } from "./mqtt_client.d.ts";
import { OFFLINE } from "./presence.ts";
import { type BrokerAddress, type BrokerTls, openStream } from "./stream.ts";

/** The package's class. Only it is imported: all of the package is twice as large. */
const Client = clientModule.default ?? clientModule;

/** Protocol levels as they go over the wire: MQTT 5 and MQTT 3.1.1. */
export type ProtocolLevel = 5 | 4;

/** How often the connection is proven, in seconds: half as much again without a sign ends it. */
const KEEPALIVE_SECONDS = 15;

/**
 * A broker of MQTT 5 keeps longer packets from us (3.1.2.11.4): it would hand on what anybody has
 * published, 256 MB at most. The longest of ours has a topic of 4 KB and 4 KiB of content.
 */
const PACKET_LIMIT_BYTES = 64 * 1024;

/** A user of the broker. */
export interface Credentials {
  /** Its name. */
  readonly username: string;
  /** Never logged. */
  readonly password: string;
}

/** Options of {@linkcode createClient}. */
export interface CreateClientOptions {
  /** Where the broker is. */
  readonly address: BrokerAddress;
  /** For `mqtts` and `wss`. */
  readonly tls: BrokerTls;
  /** Who we are there; anonymous without. */
  readonly credentials: Credentials | undefined;
  /** Our name there. */
  readonly clientId: string;
  /** The protocol that is spoken. */
  readonly level: ProtocolLevel;
  /** How long the broker may take to accept us, in milliseconds. */
  readonly patienceMs: number;
  /** Where the broker says `offline` when we are lost. */
  readonly willTopic: string;
  /** Told of what goes wrong with the stream: the package hands on only some errors. */
  readonly onError: (error: Error) => void;
}

/**
 * Connects, once.
 *
 * @param options Where to, and as whom.
 * @returns The client, which tells by its events what becomes of it.
 * @throws {Error} The connection cannot even be begun.
 */
export function createClient(
  { address, tls, credentials, clientId, level, patienceMs, willTopic, onError }:
    CreateClientOptions,
): MqttClient {
  return new Client(
    (client) => openStream(client, address, tls).on("error", onError),
    {
      protocolVersion: level,
      clientId,
      ...(credentials && { username: credentials.username }),
      // MQTT 3.1.1, 3.1.2.9: no password without a user name.
      ...(credentials && { password: credentials.password }),
      clean: true,
      keepalive: KEEPALIVE_SECONDS,
      connectTimeout: patienceMs,
      reconnectPeriod: 0,
      resubscribe: false,
      timerVariant: "native",
      ...(level === 5 && { properties: { maximumPacketSize: PACKET_LIMIT_BYTES } }),
      will: {
        topic: willTopic,
        payload: new TextEncoder().encode(OFFLINE),
        qos: 1,
        retain: true,
      },
    },
  );
}
