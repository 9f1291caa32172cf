/**
 * A connection to the broker that comes back.
 *
 * @module
 */

// @deno-types="./mqtt_client.d.ts"
import clientModule from "mqtt/lib/client";
import { backoffMs, type PauseBounds } from "../backoff.ts";
import { describeError } from "../errors.ts";
import { logger } from "../log.ts";
import { adviseBroker } from "./advice.ts";
import type { Done, MqttClient } from "./mqtt_client.d.ts";
import { OFFLINE } from "./presence.ts";
import { type BrokerAddress, type BrokerTls, openStream } from "./stream.ts";
import { timer } from "./timer.ts";

const log = logger("notifier");

/** The package's class. Only it is imported: all of the package is twice as large. */
const Client = clientModule.default ?? clientModule;

/** Protocol levels as they go over the wire: MQTT 5 and MQTT 3.1.1. */
export type ProtocolLevel = 5 | 4;

/** How long the broker may take to accept us, in milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Replicas that lost the same broker do not come back together. */
const PAUSES: PauseBounds = { firstMs: 100, longestMs: 30_000 };

/** How often the connection is proven, in seconds: half as much again without a sign ends it. */
const KEEPALIVE_SECONDS = 15;

/** A connection that held so long starts the pauses anew, in milliseconds. */
const STABLE_MS = 5000;

/** mosquitto takes 20 at once where it does not say otherwise, MQTT 3.1.1 has no way to say it. */
const IN_FLIGHT = 10;

/**
 * A broker of MQTT 5 keeps longer packets from us (3.1.2.11.4): it would hand on what anybody has
 * published, 256 MB at most. The longest of ours has a topic of 4 KB and 4 KiB of content.
 */
const PACKET_LIMIT_BYTES = 64 * 1024;

/** Refusals that mean the protocol: of MQTT 3.1.1 (3.2.2.3) and MQTT 5 (3.2.2.2). */
const WRONG_PROTOCOL = [1, 0x84];

/** A message that comes in. */
export interface IncomingMessage {
  /** Its topic. */
  readonly topic: string;
  /** Its content. */
  readonly payload: Uint8Array;
  /** Whether it was there before we subscribed. */
  readonly isRetained: boolean;
}

/** A connection as long as it holds. */
export interface BrokerSession {
  /** How many messages may be unconfirmed at once. */
  readonly inFlight: number;
  /** Publishes a retained message; settles with the broker's confirmation. */
  publish(topic: string, payload: string): Promise<void>;
  /** Subscribes; settles with the broker's confirmation. */
  subscribe(filter: string): Promise<void>;
}

/** Told of what happens to the connection. */
export interface BrokerListener {
  /** The broker has accepted us. */
  connected(session: BrokerSession): void;
  /** The connection is lost. */
  disconnected(): void;
  /** Something came in. */
  received(message: IncomingMessage): void;
}

/** Why there is no connection. */
export interface BrokerOutage {
  /** What happened last, in one line; never a secret. */
  readonly reason: string;
  /** What to try next, without full stop. */
  readonly next: string;
}

/** What the notifier needs of a connection. */
export interface Broker {
  /** Why there is no connection; undefined while there is one, and before the first attempt ends. */
  readonly outage: BrokerOutage | undefined;
  /** Connects, and goes on doing so. */
  start(listener: BrokerListener): void;
  /** Says goodbye and does not come back. */
  close(): Promise<void>;
}

/** Options of {@linkcode MqttBroker}. */
export interface MqttBrokerOptions {
  /** Where it is. */
  readonly address: BrokerAddress;
  /** For `mqtts` and `wss`. */
  readonly tls: BrokerTls;
  /** Who we are there; anonymous without. */
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  /** Our name there; of two with the same name the broker keeps one. */
  readonly clientId: string;
  /** The protocol that is tried first; after 5 comes 4 where the broker does not know it. */
  readonly protocol: ProtocolLevel;
  /** Where the broker says `offline` when we are lost. */
  readonly willTopic: string;
  /** A steady clock in milliseconds. @default performance.now */
  readonly now?: () => number;
  /** A number from 0 up to 1. @default Math.random */
  readonly random?: () => number;
  /** Waits, until it is told to stop. @default a timer */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** How an attempt to connect, or a connection, ended. */
interface Ending {
  readonly reason: string;
  /** How long it held, in milliseconds; undefined where the broker never accepted us. */
  readonly heldMs: number | undefined;
  /** Whether the broker may want another protocol. */
  readonly isOtherProtocolWanted: boolean;
}

/** Connects by the `mqtt` package; when to connect again is decided here. */
export class MqttBroker implements Broker {
  readonly #options: MqttBrokerOptions;
  readonly #now: () => number;
  readonly #closing = new AbortController();
  #level: ProtocolLevel;
  #client: MqttClient | undefined;
  #outage: BrokerOutage | undefined;
  #running: Promise<void> = Promise.resolve();

  /**
   * Does nothing before {@linkcode MqttBroker.start}.
   *
   * @param options Where the broker is, and who we are there.
   */
  constructor(options: MqttBrokerOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#level = options.protocol;
  }

  /** Why there is no connection; undefined while there is one, and before the first attempt ends. */
  get outage(): BrokerOutage | undefined {
    return this.#outage;
  }

  /**
   * Connects, and again after each loss.
   *
   * @param listener Told of it.
   */
  start(listener: BrokerListener): void {
    this.#running = this.#run(listener);
  }

  /**
   * Ends the connection in good order: the broker publishes no last will.
   *
   * @returns Settles once it is ended.
   */
  async close(): Promise<void> {
    this.#closing.abort();
    const client = this.#client;
    if (client?.connected) {
      await new Promise<void>((resolve) => client.end(false, {}, () => resolve()));
    } else client?.end(true);
    await this.#running;
  }

  async #run(listener: BrokerListener): Promise<void> {
    const { random = Math.random, pause = timer } = this.#options;
    const { signal } = this.#closing;
    for (let failures = 0; !signal.aborted;) {
      const { reason, heldMs, isOtherProtocolWanted } = await this.#connect(listener);
      if (signal.aborted) break;
      if (isOtherProtocolWanted) this.#level = this.#level === 5 ? 4 : 5;
      this.#say(reason);
      if (heldMs !== undefined && heldMs >= STABLE_MS) failures = 0;
      failures++;
      await pause(backoffMs(failures, random(), PAUSES), signal);
    }
  }

  /** Once per outage, not at each attempt. */
  #say(reason: string): void {
    const outage = { reason, next: adviseBroker(reason) };
    if (this.#outage === undefined) log.warn("MQTT broker cannot be reached", outage);
    else log.debug("MQTT broker still cannot be reached", { reason });
    this.#outage = outage;
  }

  /** One connection, from the attempt to the end. */
  #connect(listener: BrokerListener): Promise<Ending> {
    return new Promise((resolve) => {
      const level = this.#level;
      let connectedAtMs: number | undefined;
      let reason: string | undefined;
      let refusal: unknown;
      let isEnded = false;
      const end = (): void => {
        if (isEnded) return;
        isEnded = true;
        if (connectedAtMs !== undefined) listener.disconnected();
        resolve({
          reason: reason ?? "connection closed",
          heldMs: connectedAtMs === undefined ? undefined : this.#now() - connectedAtMs,
          // Some end the connection without a word.
          isOtherProtocolWanted: connectedAtMs === undefined && this.#options.protocol === 5 &&
            (WRONG_PROTOCOL.includes(Number(refusal)) || reason === undefined),
        });
      };
      try {
        const client = this.#createClient(level, (error) => reason ??= describeError(error));
        this.#client = client;
        client.on("connect", ({ properties }) => {
          connectedAtMs = this.#now();
          this.#outage = undefined;
          log.info("MQTT broker is connected", { protocol: level === 5 ? "5" : "3.1.1" });
          listener.connected(
            sessionOf(client, Math.min(IN_FLIGHT, properties?.receiveMaximum ?? IN_FLIGHT)),
          );
        });
        client.on("message", (topic, payload, { retain }) => {
          listener.received({ topic, payload, isRetained: retain });
        });
        client.on("error", (error) => {
          reason ??= describeError(error);
          refusal = error.code;
        });
        client.on("disconnect", ({ reasonCode }) => {
          reason ??= `broker ended the connection with reason code ${reasonCode ?? 0}`;
        });
        client.on("close", () => {
          client.end(true);
          end();
        });
      } catch (error) {
        reason = describeError(error);
        end();
      }
    });
  }

  #createClient(
    level: ProtocolLevel,
    onError: (error: Error) => void,
  ): MqttClient {
    const { address, tls, credentials, clientId, willTopic } = this.#options;
    return new Client(
      (client) => {
        const stream = openStream(client, address, tls);
        // The package hands on only some errors.
        stream.on("error", onError);
        return stream;
      },
      {
        protocolVersion: level,
        clientId,
        ...(credentials && { username: credentials.username }),
        // MQTT 3.1.1, 3.1.2.9: no password without a user name.
        ...(credentials && { password: credentials.password }),
        clean: true,
        keepalive: KEEPALIVE_SECONDS,
        connectTimeout: CONNECT_TIMEOUT_MS,
        reconnectPeriod: 0,
        resubscribe: false,
        timerVariant: "native",
        ...(level === 5 && { properties: { maximumPacketSize: PACKET_LIMIT_BYTES } }),
        will: {
          topic: willTopic,
          payload: encoder.encode(OFFLINE),
          qos: 1,
          retain: true,
        },
      },
    );
  }
}

const encoder = new TextEncoder();

/** What is under way when the connection ends fails with it: the client is ended by force then. */
function sessionOf(client: MqttClient, inFlight: number): BrokerSession {
  const settled = (start: (done: Done) => void): Promise<void> =>
    new Promise((resolve, reject) => start((error) => error ? reject(error) : resolve()));
  return {
    inFlight,
    publish: (topic, payload) =>
      settled((done) => client.publish(topic, payload, { qos: 1, retain: true }, done)),
    // QoS 0: within a connection nothing is lost, and brokers queue only so much of QoS 1.
    subscribe: (filter) => settled((done) => client.subscribe(filter, { qos: 0 }, done)),
  };
}
