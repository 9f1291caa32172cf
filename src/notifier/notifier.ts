/**
 * Tells devices over MQTT which firmware there is for them, and hears it from replicas.
 *
 * @module
 */

import { LRUCache } from "lru-cache";
import pLimit, { type LimitFunction } from "p-limit";
import { describeError, isServiceError } from "../errors.ts";
import { logger } from "../log.ts";
import type { Broker, BrokerSession, IncomingMessage } from "./broker.ts";
import { discoveryOf } from "./home_assistant.ts";
import { InstalledVersions } from "./installed.ts";
import {
  type AnnouncedFirmware,
  type AnnouncedName,
  formatMessage,
  isSame,
  parseMessage,
} from "./message.ts";
import { type Notification, Outbox } from "./outbox.ts";
import { OFFLINE, ONLINE } from "./presence.ts";
import { Replicas } from "./replicas.ts";
import { timer } from "./timer.ts";
import { Topics } from "./topics.ts";

const log = logger("notifier");

/** Of so many devices it is known what was announced; beyond it some are announced again. */
const KNOWN_DEVICES = 10_000;

/** How long the broker's retained messages are waited for, in milliseconds. */
const RETAINED_WAIT_MS = 2000;

/** How long a notification rests that could not be published although the broker is there. */
const RETRY_MS = 10_000;

/** What a webhook brought is not published once more for its own sake, in milliseconds. */
const JUST_PUBLISHED_MS = 2000;

/** How long notifications under way may take at the end, in milliseconds, */
const DELIVER_MS = 1000;

/** and how long all of the end may take. */
const CLOSE_MS = 2000;

/** Told of what happens, for metrics. */
export interface NotifierObserver {
  /** The broker is connected, or it is not. */
  mqttConnected(isConnected: boolean): void;
  /** A notification was confirmed by the broker, or refused by it, or lost with the connection. */
  mqttPublished(result: "confirmed" | "failed"): void;
  /** So many notifications wait now. */
  mqttPending(count: number): void;
}

/** Options of {@linkcode MqttNotifier}. */
export interface MqttNotifierOptions {
  /** The connection. */
  readonly broker: Broker;
  /** What precedes the device in a topic; may be empty. */
  readonly topic: string;
  /** Told of what happens. */
  readonly observer: NotifierObserver;
  /** Has the source confirm a device's firmware; throws a ServiceError. */
  readonly refresh: (device: string) => Promise<AnnouncedFirmware>;
  /** Where notifications outlast the process; in memory without. */
  readonly directory?: string | undefined;
  /** Where devices reach the service, without a slash at the end; then messages have an address. */
  readonly publicUrl?: string | undefined;
  /** Below what Home Assistant finds devices; without, it is told nothing. */
  readonly homeAssistantPrefix?: string | undefined;
  /** A steady clock in milliseconds. @default performance.now */
  readonly now?: () => number;
  /** Waits, until it is told to stop. @default a timer */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** How much is known of a firmware that is announced. */
export interface AnnounceOptions {
  /** Publishes it although the broker has it already: a webhook said so. */
  readonly always?: boolean;
  /** Whether the source has just said that it is the newest. @default true */
  readonly isConfirmed?: boolean;
}

/**
 * Publishes each device's firmware when it is another than the broker has, confirmed and retained.
 * What cannot be published now waits, the newest of each device.
 */
export class MqttNotifier {
  readonly #options: MqttNotifierOptions;
  readonly #outbox: Outbox;
  readonly #topics: Topics;
  readonly #now: () => number;
  readonly #pause: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly #limit: LimitFunction = pLimit(1);
  readonly #replicas: Replicas;
  readonly #closing = new AbortController();
  /** What this process was told of each device. */
  readonly #own = new LRUCache<string, AnnouncedFirmware>({ max: KNOWN_DEVICES });
  /** What the broker has of each device, as far as we know. */
  readonly #seen = new LRUCache<string, AnnouncedName>({ max: KNOWN_DEVICES });
  /** What was last sent of each device, and when, for webhooks. */
  readonly #published = new LRUCache<string, { name: AnnouncedName; atMs: number }>({
    max: KNOWN_DEVICES,
  });
  /** The devices that Home Assistant was told of, and whether it looks for what they run. */
  readonly #discovered = new LRUCache<string, { readonly knowsInstalled: boolean }>({
    max: KNOWN_DEVICES,
  });
  readonly #installed: InstalledVersions;
  /** Devices that are being published. */
  readonly #delivering = new Map<string, Promise<void>>();
  #session: BrokerSession | undefined;
  /** Whether what the broker has is known, or will not be. */
  #isReady = false;
  #isOnlineEchoed: () => void = () => {};

  private constructor(options: MqttNotifierOptions, outbox: Outbox) {
    this.#options = options;
    this.#outbox = outbox;
    this.#topics = new Topics(options.topic);
    this.#now = options.now ?? (() => performance.now());
    this.#pause = options.pause ?? timer;
    this.#installed = new InstalledVersions(this.#now);
    this.#replicas = new Replicas({
      check: (device) => this.#check(device),
      pause: (ms) => this.#pause(ms, this.#closing.signal),
    });
  }

  /**
   * Takes over what an earlier process has left, and connects behind it: a broker that is away
   * hinders nothing.
   *
   * @param options What it works with.
   * @returns The notifier.
   * @throws {ServiceError} `storage-failed` where the folder cannot be used.
   */
  static async start(options: MqttNotifierOptions): Promise<MqttNotifier> {
    const notifier = new MqttNotifier(options, await Outbox.open(options.directory));
    options.observer.mqttConnected(false);
    options.observer.mqttPending(notifier.#outbox.size);
    options.broker.start({
      connected: (session) => void notifier.#greet(session),
      disconnected: () => notifier.#lose(),
      received: (message) => notifier.#receive(message),
    });
    return notifier;
  }

  /** Whether the broker is connected, and how many notifications wait for it. */
  get state(): { readonly isConnected: boolean; readonly pending: number } {
    return { isConnected: this.#session !== undefined, pending: this.#outbox.size };
  }

  /**
   * Sees to it that the broker hears of a device's firmware, unless it has.
   *
   * @param device A device id, which is a repository name.
   * @param firmware Verified firmware.
   * @param options How much is known of it.
   * @returns Settles, and never fails, once the notification outlasts this process, where there is a
   * folder. The broker is not waited for.
   */
  async announce(
    device: string,
    firmware: AnnouncedFirmware,
    { always = false, isConfirmed = true }: AnnounceOptions = {},
  ): Promise<void> {
    const isKnown = isSame(this.#own.get(device), firmware);
    this.#own.set(device, firmware);
    if (always ? this.#isJustPublished(device, firmware) : isKnown) return;
    const seen = this.#seen.get(device);
    const waiting = this.#outbox.get(device);
    const isNews = always || waiting !== undefined || !isSame(seen, firmware) ||
      this.#isUndiscovered(device);
    if (!isNews) return;
    const isWaiting = waiting !== undefined && isSame(waiting.firmware, firmware);
    // What is on its way already is not published twice for the sake of a webhook.
    if (isWaiting && (waiting.always || !always || !isSame(seen, firmware))) {
      return await this.#outbox.kept(device);
    }
    await this.#put({
      device,
      firmware,
      always: always || waiting?.always === true,
      isConfirmed,
      replaces: isConfirmed ? seen : undefined,
    });
  }

  /**
   * Tells Home Assistant which version a device says that it runs, where that is news.
   *
   * @param device A device that the source knows.
   * @param versions What it says: any text.
   */
  polled(device: string, { running }: { readonly running: string }): void {
    if (this.#options.homeAssistantPrefix === undefined) return;
    const session = this.#session;
    const version = this.#installed.note(device, running);
    // Whoever comes while the broker is away says it again.
    if (version === undefined || session === undefined || !this.#isReady) return;
    void this.#try(() => this.#limit(() => this.#tellInstalled(session, device)));
  }

  /**
   * Publishes what waits, says goodbye, and ends the connection; all within two seconds.
   *
   * @returns Settles, and never fails, once it is done or given up.
   */
  async close(): Promise<void> {
    const late = new AbortController();
    const end = async (): Promise<void> => {
      await Promise.race([
        Promise.all(this.#delivering.values()),
        this.#pause(DELIVER_MS, late.signal),
      ]);
      const session = this.#session;
      this.#closing.abort();
      await this.#try(() => session?.publish(this.#topics.state, OFFLINE));
      await this.#options.broker.close();
      await this.#outbox.settled();
      late.abort();
    };
    await Promise.race([end(), timer(CLOSE_MS, late.signal)]);
  }

  async #put(notification: Notification): Promise<void> {
    const kept = this.#outbox.put(notification);
    this.#options.observer.mqttPending(this.#outbox.size);
    // Nobody waits for the disk to be told: the file is for the next process.
    this.#deliver(notification.device);
    await kept;
    log.debug("Notification is kept", { device: notification.device });
  }

  /**
   * Learns what the broker has before anything is published. That all retained messages have come
   * is known when our own `online` comes back behind them.
   */
  async #greet(session: BrokerSession): Promise<void> {
    this.#session = session;
    this.#seen.clear();
    this.#limit.concurrency = session.inFlight;
    this.#options.observer.mqttConnected(true);
    const echo = new Promise<boolean>((resolve) =>
      this.#isOnlineEchoed = (): void => resolve(true)
    );
    const isHeard = await this.#try(() => session.subscribe(this.#topics.all));
    await this.#try(() => session.publish(this.#topics.state, ONLINE));
    const waiting = new AbortController();
    const late = this.#pause(RETAINED_WAIT_MS, waiting.signal).then(() => false);
    const isComplete = isHeard && await Promise.race([echo, late]);
    waiting.abort();
    if (this.#session !== session) return;
    this.#isReady = true;
    if (isComplete) this.#restore();
    for (const device of this.#outbox.devices()) this.#deliver(device);
  }

  #lose(): void {
    this.#session = undefined;
    this.#isReady = false;
    this.#options.observer.mqttConnected(false);
  }

  /**
   * A broker may have lost what it confirmed: one that keeps nothing on disk, and was killed. All
   * replicas notice that at once, so that each asks the source what is the newest.
   */
  #restore(): void {
    for (const [device, firmware] of this.#own.entries()) {
      if (this.#seen.has(device) || this.#outbox.get(device) !== undefined) continue;
      void this.#put({
        ...{ device, firmware, always: false },
        ...{ isConfirmed: false, replaces: undefined },
      });
    }
  }

  #receive({ topic, payload, isRetained }: IncomingMessage): void {
    if (topic === this.#topics.state) return this.#receiveState(payload, isRetained);
    const device = this.#topics.deviceOf(topic);
    if (device === undefined) return;
    const name = parseMessage(payload);
    if (name === undefined) {
      this.#seen.delete(device);
      return;
    }
    this.#seen.set(device, name);
    const own = this.#own.get(device);
    const isOurs = own === undefined ||
      own.version === name.version && own.digest === (name.digest ?? own.digest);
    if (!isOurs) this.#replicas.heard(device);
  }

  /** The first replica that ends must not say that nobody is there. */
  #receiveState(payload: Uint8Array, isRetained: boolean): void {
    if (isRetained) return;
    if (new TextDecoder().decode(payload) === ONLINE) this.#isOnlineEchoed();
    else if (!this.#closing.signal.aborted) {
      void this.#try(() => this.#session?.publish(this.#topics.state, ONLINE));
    }
  }

  async #check(device: string): Promise<void> {
    if (this.#closing.signal.aborted) return;
    try {
      await this.#options.refresh(device);
    } catch (error) {
      log.debug("Cannot check what another replica announced", {
        device,
        reason: describeError(error),
      });
    }
  }

  /** Publishes what waits for a device, one thing after the other. */
  #deliver(device: string): void {
    if (this.#delivering.has(device) || !this.#isReady) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#delivering.set(device, promise);
    void this.#publishAll(device, () => {
      this.#delivering.delete(device);
      resolve();
    });
  }

  async #publishAll(device: string, done: () => void): Promise<void> {
    for (;;) {
      const notification = this.#outbox.get(device);
      const session = this.#session;
      const mayGoOn = this.#isReady && !this.#closing.signal.aborted;
      // In the same moment: what comes from now on starts a delivery of its own.
      if (notification === undefined || session === undefined || !mayGoOn) return done();
      try {
        if (this.#isUncertain(notification)) await this.#confirm(notification);
        else await this.#limit(() => this.#publish(session, notification));
      } catch (error) {
        if (this.#session !== session) continue;
        const details = { device, reason: describeError(error) };
        // That the source is away is said elsewhere, once for all devices.
        if (isServiceError(error)) log.debug("Notification waits for the registry", details);
        else log.warn("Notification cannot be published, trying again later", details);
        await this.#pause(RETRY_MS, this.#closing.signal);
      }
    }
  }

  /** Whether somebody may have published, or may be about to, what is newer. */
  #isUncertain({ device, firmware, isConfirmed, replaces }: Notification): boolean {
    const seen = this.#seen.get(device);
    if (seen === undefined) return !isConfirmed;
    return !isSame(seen, firmware) && !isSame(seen, replaces);
  }

  /** Another replica may know something newer: the source decides. */
  async #confirm(notification: Notification): Promise<void> {
    const { device } = notification;
    const seen = this.#seen.get(device);
    try {
      const firmware = await this.#options.refresh(device);
      if (this.#outbox.get(device) !== notification) return;
      await this.#outbox.put({ ...notification, firmware, isConfirmed: true, replaces: seen });
    } catch (error) {
      if (isServiceError(error, "firmware-unknown")) return await this.#done(notification);
      if (this.#seen.has(device)) throw error;
      // It replaces nothing: better than to say nothing as long as the source is away.
      if (this.#outbox.get(device) !== notification) return;
      await this.#outbox.put({ ...notification, isConfirmed: true });
    }
  }

  async #publish(session: BrokerSession, notification: Notification): Promise<void> {
    const { device, firmware, always } = notification;
    if (always || !isSame(this.#seen.get(device), firmware)) {
      await this.#send(session, device, firmware);
    }
    if (this.#isUndiscovered(device)) await this.#discover(session, device);
    await this.#done(notification);
  }

  async #send(session: BrokerSession, device: string, firmware: AnnouncedFirmware): Promise<void> {
    const { observer, publicUrl } = this.#options;
    const { version, digest } = firmware;
    this.#published.set(device, { name: { version, digest }, atMs: this.#now() });
    try {
      await session.publish(this.#topics.of(device), formatMessage(device, firmware, publicUrl));
    } catch (error) {
      observer.mqttPublished("failed");
      throw error;
    }
    observer.mqttPublished("confirmed");
    this.#seen.set(device, { version, digest });
    log.info("Published firmware notification", { device, version });
  }

  async #discover(session: BrokerSession, device: string): Promise<void> {
    const { homeAssistantPrefix: prefix = "" } = this.#options;
    const installed = this.#installed.take(device);
    const knowsInstalled = installed !== undefined;
    const { topic, payload } = discoveryOf(device, {
      prefix,
      topics: this.#topics,
      knowsInstalled,
    });
    await session.publish(topic, payload);
    this.#discovered.set(device, { knowsInstalled });
    if (installed !== undefined) {
      await session.publish(this.#topics.installedOf(device), installed);
    }
  }

  async #tellInstalled(session: BrokerSession, device: string): Promise<void> {
    if (this.#discovered.get(device)?.knowsInstalled !== true) {
      return await this.#discover(session, device);
    }
    const installed = this.#installed.take(device);
    if (installed !== undefined) {
      await session.publish(this.#topics.installedOf(device), installed);
    }
  }

  async #done(notification: Notification): Promise<void> {
    const removed = this.#outbox.remove(notification);
    this.#options.observer.mqttPending(this.#outbox.size);
    await removed;
  }

  #isJustPublished(device: string, firmware: AnnouncedFirmware): boolean {
    const last = this.#published.get(device);
    return last !== undefined && isSame(last.name, firmware) &&
      this.#now() - last.atMs < JUST_PUBLISHED_MS;
  }

  #isUndiscovered(device: string): boolean {
    return this.#options.homeAssistantPrefix !== undefined && !this.#discovered.has(device);
  }

  /** What the broker refuses, or a lost connection, is no reason to end. */
  async #try(work: () => Promise<void> | undefined): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      log.debug("MQTT broker refused", { reason: describeError(error) });
      return false;
    }
  }
}
