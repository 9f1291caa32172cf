/**
 * A broker in memory, for the notifier.
 *
 * @module
 */

import type { Broker, BrokerListener, BrokerOutage } from "../../src/notifier/broker.ts";

/** A message that was published. */
export interface PublishedMessage {
  readonly topic: string;
  readonly payload: string;
}

/** Keeps what is published, hands it on to its one subscriber, and loses connections on command. */
export class FakeBroker implements Broker {
  readonly #retained = new Map<string, string>();
  readonly #waiting = new Set<() => void>();
  #listener: BrokerListener | undefined;
  #end: ((error: Error) => void) | undefined;
  #isSubscribed = false;
  /** All that was confirmed, in its order. */
  readonly published: PublishedMessage[] = [];
  /** Why there is no connection, if it is to know. */
  outage: BrokerOutage | undefined;
  /** Whether it was said goodbye to. */
  isClosed = false;
  /** Thrown at every publication while it is set. */
  refusal: Error | undefined;
  /** Whether it confirms; otherwise nothing comes back. */
  confirms = true;
  /** Whether a subscriber gets anything. */
  delivers = true;

  start(listener: BrokerListener): void {
    this.#listener = listener;
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  /** Accepts the client. */
  connect(): void {
    const lost = new Promise<never>((_, reject) => this.#end = reject);
    lost.catch(() => {});
    this.#isSubscribed = false;
    this.#listener?.connected({
      inFlight: 10,
      publish: (topic, payload) => Promise.race([lost, this.#publish(topic, payload)]),
      subscribe: () => Promise.race([lost, this.#subscribe()]),
    });
  }

  /** Loses the connection, with all that was not confirmed. */
  disconnect(): void {
    this.#end?.(new Error("lost"));
    this.#isSubscribed = false;
    this.#listener?.disconnected();
  }

  /** Forgets all retained messages, as a broker without a disk does. */
  forget(): void {
    this.#retained.clear();
  }

  /** Takes a message of somebody else. */
  receive(topic: string, payload: string): void {
    this.#retained.set(topic, payload);
    this.#deliver(topic, payload, false);
  }

  /** Waits until something was published. */
  async until(isEnough: (published: readonly PublishedMessage[]) => boolean): Promise<void> {
    while (!isEnough(this.published)) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Versions that were published to a topic. */
  versions(topic: string): string[] {
    return this.published.filter((message) => message.topic === topic)
      .map(({ payload }) => JSON.parse(payload).version);
  }

  async #publish(topic: string, payload: string): Promise<void> {
    await Promise.resolve();
    if (this.refusal !== undefined) throw this.refusal;
    if (!this.confirms) await new Promise(() => {});
    this.#retained.set(topic, payload);
    this.#deliver(topic, payload, false);
    this.published.push({ topic, payload });
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  async #subscribe(): Promise<void> {
    await Promise.resolve();
    this.#isSubscribed = true;
    for (const [topic, payload] of this.#retained) this.#deliver(topic, payload, true);
  }

  #deliver(topic: string, payload: string, isRetained: boolean): void {
    if (!this.#isSubscribed || !this.delivers) return;
    this.#listener?.received({ topic, payload: new TextEncoder().encode(payload), isRetained });
  }
}
