/**
 * Publishes what waits in the outbox, as soon as there is a broker, and until it is confirmed.
 *
 * @module
 */

import pLimit, { type LimitFunction } from "p-limit";
import { describeError, isServiceError } from "../errors.ts";
import { logger } from "../log.ts";
import { adviseBroker } from "./advice.ts";
import type { Announced } from "./announced.ts";
import type { HomeAssistant } from "./home_assistant.ts";
import { type AnnouncedFirmware, formatMessage, isSame } from "./message.ts";
import type { Notification, Outbox } from "./outbox.ts";
import type { BrokerSession } from "./session.ts";
import type { Topics } from "./topics.ts";

const log = logger("notifier");

/** How long a notification rests that could not be published although the broker is there. */
const RETRY_MS = 10_000;

/** What a broker refuses again and again is not tried more often: it may be thousands of devices. */
const LONGEST_RETRY_MS = 60_000;

/** Told of what becomes of notifications, for metrics. */
export interface DeliveryObserver {
  /** A notification was confirmed by the broker, or refused by it, or lost with the connection. */
  mqttPublished(result: "confirmed" | "failed"): void;
  /** So many notifications wait now. */
  mqttPending(count: number): void;
}

/** Options of {@linkcode Deliveries}. */
export interface DeliveriesOptions {
  /** What waits. */
  readonly outbox: Outbox;
  /** What the broker has. */
  readonly announced: Announced;
  /** Where devices are told. */
  readonly topics: Topics;
  /** Told of devices, too; nobody is where it is undefined. */
  readonly homeAssistant: Pick<HomeAssistant, "knows" | "introduce"> | undefined;
  /** Where devices reach the service; then messages have an address. */
  readonly publicUrl?: string | undefined;
  /** Has the source confirm a device's firmware; throws a ServiceError. */
  readonly refresh: (device: string) => Promise<AnnouncedFirmware>;
  /** Told of what happens. */
  readonly observer: DeliveryObserver;
  /** Waits; ends early, without failing, at the end of all. */
  readonly pause: (ms: number) => Promise<void>;
}

/** Delivers to each device one thing after the other. */
export class Deliveries {
  readonly #options: DeliveriesOptions;
  readonly #limit: LimitFunction = pLimit(1);
  /** Devices that are being published. */
  readonly #underWay = new Map<string, Promise<void>>();
  /** The connection, once it is known what the broker has. */
  #session: BrokerSession | undefined;
  /** Devices of which the broker refused the last message. */
  readonly #refused = new Set<string>();
  /** Why, as far as it was said already: not for each of thousands of devices, again and again. */
  readonly #said = new Set<string>();

  /**
   * Delivers nothing before there is a connection.
   *
   * @param options What is delivered, and who is told.
   */
  constructor(options: DeliveriesOptions) {
    this.#options = options;
  }

  /**
   * Delivers all that waits, and from now on whatever comes.
   *
   * @param session The connection. What the broker has is known, or will not be.
   */
  begin(session: BrokerSession): void {
    this.#session = session;
    this.#limit.concurrency = session.inFlight;
    for (const device of this.#options.outbox.devices()) this.#deliver(device);
  }

  /** Begins with nothing more: the connection is lost, or is going to end. */
  end(): void {
    this.#session = undefined;
  }

  /**
   * Lets a notification wait, and delivers it where there is a connection.
   *
   * @param notification It takes the place of an older one of the device.
   * @returns Settles, and never fails, once it outlasts this process. The broker is not waited for.
   */
  async put(notification: Notification): Promise<void> {
    const { outbox, observer } = this.#options;
    const kept = outbox.put(notification);
    observer.mqttPending(outbox.size);
    // Nobody waits for the disk to be told: the file is for the next process.
    this.#deliver(notification.device);
    await kept;
    log.debug("Notification is kept", { device: notification.device });
  }

  /**
   * Does something else with the connection, in its turn. Without a connection it is not done.
   *
   * @param work Publishes something.
   * @throws {Error} What the work throws.
   */
  async once(work: (session: BrokerSession) => Promise<void>): Promise<void> {
    const session = this.#session;
    if (session !== undefined) await this.#limit(() => work(session));
  }

  /** Waits until nothing is being delivered. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay.values());
  }

  #deliver(device: string): void {
    if (this.#underWay.has(device) || this.#session === undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#underWay.set(device, promise);
    void this.#deliverAll(device, () => {
      this.#underWay.delete(device);
      resolve();
    });
  }

  async #deliverAll(device: string, done: () => void): Promise<void> {
    const { outbox, pause } = this.#options;
    let restMs = RETRY_MS;
    for (;;) {
      const notification = outbox.get(device);
      const session = this.#session;
      // In the same moment: what comes from now on starts a delivery of its own.
      if (notification === undefined || session === undefined) return done();
      try {
        if (this.#isUncertain(notification)) await this.#confirm(notification);
        else await this.#limit(() => this.#publish(session, notification));
      } catch (error) {
        if (this.#session !== session) continue;
        const reason = describeError(error);
        if (isServiceError(error)) {
          // That the source is away is said elsewhere, once for all devices.
          log.debug("Notification waits for the registry", { device, reason });
          await pause(RETRY_MS);
        } else {
          this.#sayRefused(device, reason);
          await pause(restMs);
          restMs = Math.min(restMs * 2, LONGEST_RETRY_MS);
        }
      }
    }
  }

  #sayRefused(device: string, reason: string): void {
    const details = { device, reason, next: adviseBroker(reason) };
    if (this.#said.has(reason)) log.debug("Notification still cannot be published", details);
    else log.warn("Notification cannot be published, trying again later", details);
    this.#refused.add(device);
    this.#said.add(reason);
  }

  /** Whether somebody may have published, or may be about to, what is newer. */
  #isUncertain({ device, firmware, isConfirmed, replaces }: Notification): boolean {
    const atBroker = this.#options.announced.atBroker(device);
    if (atBroker === undefined) return !isConfirmed;
    return !isSame(atBroker, firmware) && !isSame(atBroker, replaces);
  }

  /** Another replica may know something newer: the source decides. */
  async #confirm(notification: Notification): Promise<void> {
    const { outbox, announced, refresh } = this.#options;
    const { device } = notification;
    const replaces = announced.atBroker(device);
    try {
      const firmware = await refresh(device);
      if (outbox.get(device) !== notification) return;
      await outbox.put({ ...notification, firmware, isConfirmed: true, replaces });
    } catch (error) {
      if (isServiceError(error, "firmware-unknown")) return await this.#done(notification);
      if (announced.atBroker(device) !== undefined) throw error;
      // It replaces nothing: better than to say nothing as long as the source is away.
      if (outbox.get(device) !== notification) return;
      await outbox.put({ ...notification, isConfirmed: true });
    }
  }

  async #publish(session: BrokerSession, notification: Notification): Promise<void> {
    const { outbox, announced, homeAssistant } = this.#options;
    const { device, firmware, always } = notification;
    let rest = notification;
    if (always || !isSame(announced.atBroker(device), firmware)) {
      await this.#send(session, device, firmware);
      const isIntroduced = homeAssistant?.knows(device) !== false;
      // Where Home Assistant cannot be told, the device must not hear it again each time.
      if (always && !isIntroduced && outbox.get(device) === notification) {
        rest = { ...notification, always: false };
        void outbox.put(rest);
      }
    }
    if (homeAssistant?.knows(device) === false) await homeAssistant.introduce(session, device);
    await this.#done(rest);
  }

  async #send(session: BrokerSession, device: string, firmware: AnnouncedFirmware): Promise<void> {
    const { announced, topics, observer, publicUrl } = this.#options;
    const { version, digest } = firmware;
    announced.sending(device, { version, digest });
    try {
      await session.publish(topics.of(device), formatMessage(device, firmware, publicUrl));
    } catch (error) {
      observer.mqttPublished("failed");
      throw error;
    }
    observer.mqttPublished("confirmed");
    announced.heard(device, { version, digest });
    log.info("Published firmware notification", { device, version });
  }

  async #done(notification: Notification): Promise<void> {
    const { outbox, observer } = this.#options;
    if (this.#refused.delete(notification.device) && this.#refused.size === 0) this.#said.clear();
    const removed = outbox.remove(notification);
    observer.mqttPending(outbox.size);
    await removed;
  }
}
