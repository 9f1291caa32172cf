/**
 * A connection to the broker that comes back.
 *
 * @module
 */

import { backoffMs, type PauseBounds } from "../backoff.ts";
import { describeError } from "../errors.ts";
import { logger } from "../log.ts";
import { adviseBroker } from "./advice.ts";
import { createClient, type Credentials, type ProtocolLevel } from "./client.ts";
import type { MqttClient } from "./mqtt_client.d.ts";
import { type BrokerSession, lackOf, sessionOf } from "./session.ts";
import type { BrokerAddress, BrokerTls } from "./stream.ts";
import { timer } from "./timer.ts";

const log = logger("notifier");

/** How long the broker may take to accept us, in milliseconds. */
const PATIENCE_MS = 10_000;

/** Replicas that lost the same broker do not come back together. */
const PAUSES: PauseBounds = { firstMs: 100, longestMs: 30_000 };

/** A connection that held so long starts the pauses anew, in milliseconds. */
const STABLE_MS = 5000;

/** Refusals that mean the protocol: of MQTT 3.1.1 (3.2.2.3) and MQTT 5 (3.2.2.2). */
const WRONG_PROTOCOL = [1, 0x84];

/** What the package says of a broker that does not answer a CONNECT. */
const NO_ANSWER = "connack timeout";

/** A message that comes in. */
export interface IncomingMessage {
  /** Its topic. */
  readonly topic: string;
  /** Its content. */
  readonly payload: Uint8Array;
  /** Whether it was there before we subscribed. */
  readonly isRetained: boolean;
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
  readonly credentials: Credentials | undefined;
  /** Gives the password as it is now. @default that of the credentials, always */
  readonly readPassword?: (() => Promise<string>) | undefined;
  /** Our name there; of two with the same name the broker keeps one. */
  readonly clientId: string;
  /** The protocol that is tried first; after 5 comes 4 where the broker does not know it. */
  readonly protocol: ProtocolLevel;
  /** Where the broker says `offline` when we are lost. */
  readonly willTopic: string;
  /** How long the broker may take to accept us, in milliseconds. @default 10 s */
  readonly patienceMs?: number;
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
  /** Whether the broker has said that it does not want us as we are. */
  readonly isRefusal: boolean;
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
  /** Whether the broker has accepted MQTT 5 before. */
  #knows5 = false;
  #outage: BrokerOutage | undefined;
  /** Reasons that were logged in this outage. */
  readonly #said = new Set<string>();
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
      const credentials = await this.#credentials();
      if (signal.aborted) break;
      const ending = await this.#connect(listener, credentials);
      if (signal.aborted) break;
      const { reason, heldMs, isOtherProtocolWanted } = ending;
      const level = this.#level;
      if (isOtherProtocolWanted) this.#level = level === 5 ? 4 : 5;
      // That is no outage yet: many brokers know nothing but MQTT 3.1.1.
      if (isOtherProtocolWanted && level === 5 && reason !== NO_ANSWER) {
        log.debug("MQTT broker does not take MQTT 5, trying 3.1.1", { reason });
        continue;
      }
      this.#say(ending);
      if (heldMs !== undefined && heldMs >= STABLE_MS) failures = 0;
      failures++;
      await pause(backoffMs(failures, random(), PAUSES), signal);
    }
  }

  /**
   * Once per outage, not at each attempt. What the broker says itself is said as well: it may have
   * been away when we began, and refuse us now.
   */
  #say({ reason, isRefusal }: Ending): void {
    const outage = { reason, next: adviseBroker(reason) };
    if (this.#outage === undefined || (isRefusal && !this.#said.has(reason))) {
      log.warn("MQTT broker cannot be reached", outage);
    } else log.debug("MQTT broker still cannot be reached", { reason });
    this.#said.add(reason);
    this.#outage = outage;
  }

  async #credentials(): Promise<Credentials | undefined> {
    const { credentials, readPassword } = this.#options;
    return credentials && readPassword
      ? { ...credentials, password: await readPassword() }
      : credentials;
  }

  /** One connection, from the attempt to the end. */
  #connect(listener: BrokerListener, credentials: Credentials | undefined): Promise<Ending> {
    return new Promise((resolve) => {
      const level = this.#level;
      let connectedAtMs: number | undefined;
      let reason: string | undefined;
      let refusal: unknown;
      let isLacking = false;
      let isUnsent = false;
      let isEnded = false;
      const end = (): void => {
        if (isEnded) return;
        isEnded = true;
        if (connectedAtMs !== undefined) listener.disconnected();
        resolve({
          reason: reason ?? "connection closed",
          heldMs: connectedAtMs === undefined ? undefined : this.#now() - connectedAtMs,
          isRefusal: connectedAtMs === undefined && (isLacking || typeof refusal === "number"),
          isOtherProtocolWanted: connectedAtMs === undefined && this.#options.protocol === 5 &&
            (WRONG_PROTOCOL.includes(Number(refusal)) || (!isUnsent && this.#isSilent(reason))),
        });
      };
      try {
        const client = createClient({
          ...{ patienceMs: PATIENCE_MS, ...this.#options, credentials, level },
          onError: (error) => reason ??= describeError(error),
        });
        this.#client = client;
        const drop = (): void => {
          client.end(true);
          end();
        };
        client.on("connect", ({ properties = {} }) => {
          this.#knows5 ||= level === 5;
          const lack = lackOf(properties);
          if (lack !== undefined) {
            reason ??= lack;
            isLacking = true;
            return drop();
          }
          connectedAtMs = this.#now();
          this.#outage = undefined;
          this.#said.clear();
          log.info("MQTT broker is connected", { protocol: level === 5 ? "5" : "3.1.1" });
          listener.connected(sessionOf(client, properties));
        });
        client.on("message", (topic, payload, { retain }) => {
          listener.received({ topic, payload, isRetained: retain });
        });
        client.on("error", (error) => {
          reason ??= describeError(error);
          refusal = error.code;
          // Our CONNECT was never sent: nobody is there, or something in between drops it.
          isUnsent = client.stream.writableLength > 0;
          // What is under way has failed with it just now, and must find the connection lost.
          if (connectedAtMs !== undefined) drop();
        });
        client.on("disconnect", ({ reasonCode }) => {
          reason ??= `broker ended the connection with reason code ${reasonCode ?? 0}`;
        });
        client.on("close", drop);
      } catch (error) {
        reason = describeError(error);
        end();
      }
    });
  }

  /**
   * Whether nothing was said: so do some that know nothing but MQTT 3.1.1. One that knows 5 is away
   * then, behind something that takes its connections.
   */
  #isSilent(reason: string | undefined): boolean {
    return !this.#knows5 && (reason === undefined || reason === NO_ANSWER);
  }
}
