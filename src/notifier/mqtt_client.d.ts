/**
 * The part of mqtt 5 that is used here. Its own types bring those of Node along, which differ from
 * Deno's for the whole project.
 */

import type { Duplex } from "node:stream";

/** What a client is made with. */
export interface ClientOptions {
  /** 5, or 4 for MQTT 3.1.1. */
  readonly protocolVersion: 5 | 4;
  /** The client's name at the broker. */
  readonly clientId: string;
  /** Who it is there. */
  readonly username?: string;
  /** For the user. */
  readonly password?: string;
  /** Whether the broker forgets earlier sessions. */
  readonly clean: boolean;
  /** In seconds. */
  readonly keepalive: number;
  /** Until the broker has accepted, in milliseconds. */
  readonly connectTimeout: number;
  /** 0 for never. */
  readonly reconnectPeriod: number;
  /** Whether it subscribes anew by itself. */
  readonly resubscribe: boolean;
  /** Whether timers are the system's own, or a worker's. */
  readonly timerVariant: "native";
  /** What is said to a broker of MQTT 5 (3.1.2.11). */
  readonly properties?: {
    /** No longer packet is to be sent to us, in bytes. */
    readonly maximumPacketSize: number;
  };
  /** What the broker publishes when the client is lost. */
  readonly will: {
    readonly topic: string;
    readonly payload: Uint8Array;
    readonly qos: 1;
    readonly retain: boolean;
  };
}

/** What a broker of MQTT 5 says of itself when it accepts a client (3.2.2.3). */
export interface ConnackProperties {
  /** How many messages it takes that it has not confirmed yet. */
  readonly receiveMaximum?: number;
  /** The highest quality of service that it knows; 2 where it does not say. */
  readonly maximumQoS?: number;
  /** Whether it keeps retained messages. */
  readonly retainAvailable?: boolean;
  /** The longest packet that it takes, in bytes. */
  readonly maximumPacketSize?: number;
  /** Whether filters may hold `+` and `#`. */
  readonly wildcardSubscriptionAvailable?: boolean;
}

/** Called with what went wrong, if anything did. */
export type Done = (error?: Error | null) => void;

/** One client. */
export class MqttClient {
  /** Connects at once. */
  constructor(openStream: (client: MqttClient) => Duplex, options: ClientOptions);
  /** Whether the broker has accepted. */
  readonly connected: boolean;
  /** The way to the broker, of the last connection. */
  readonly stream: Duplex;
  /** The broker has accepted. */
  on(
    event: "connect",
    listener: (packet: { properties?: ConnackProperties }) => void,
  ): this;
  /** Something came in. */
  on(
    event: "message",
    listener: (topic: string, payload: Uint8Array, packet: { retain: boolean }) => void,
  ): this;
  /** Something went wrong. */
  on(event: "error", listener: (error: Error & { code?: unknown }) => void): this;
  /** The broker says goodbye. */
  on(event: "disconnect", listener: (packet: { reasonCode?: number }) => void): this;
  /** The stream is closed. */
  on(event: "close", listener: () => void): this;
  /** Done with the broker's confirmation. */
  publish(
    topic: string,
    payload: string,
    options: { readonly qos: 1; readonly retain: boolean },
    done: Done,
  ): void;
  /** Done with the broker's confirmation. */
  subscribe(filter: string, options: { readonly qos: 0 }, done: Done): void;
  /** Ends, at once where it is forced. */
  end(isForced: boolean, options?: Readonly<Record<string, never>>, done?: () => void): void;
}

/** How a CommonJS module's default is had depends on whether a bundler was there. */
declare const module: typeof MqttClient & { readonly default?: typeof MqttClient };
export { module as default };
