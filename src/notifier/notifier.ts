/**
 * Tells devices over MQTT which firmware there is for them, and hears it from replicas.
 *
 * @module
 */

import { describeError } from "../errors.ts";
import { logger } from "../log.ts";
import { Announced } from "./announced.ts";
import type { Broker, BrokerOutage, IncomingMessage } from "./broker.ts";
import { Deliveries, type DeliveryObserver } from "./deliveries.ts";
import { HomeAssistant } from "./home_assistant.ts";
import { type AnnouncedFirmware, isSame, parseMessage } from "./message.ts";
import { Outbox } from "./outbox.ts";
import { OFFLINE, ONLINE } from "./presence.ts";
import { Replicas } from "./replicas.ts";
import type { BrokerSession } from "./session.ts";
import { timer } from "./timer.ts";
import { Topics } from "./topics.ts";

const log = logger("notifier");

/** How long the broker's retained messages are waited for, in milliseconds. */
const RETAINED_WAIT_MS = 2000;

/** How long notifications under way may take at the end, in milliseconds, */
const DELIVER_MS = 1000;

/** and how long all of the end may take. */
const CLOSE_MS = 2000;

/** Told of what happens, for metrics. */
export interface NotifierObserver extends DeliveryObserver {
  /** The broker is connected, or it is not. */
  mqttConnected(isConnected: boolean): void;
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

/** How things stand with the broker. */
export interface NotifierState {
  /** Whether it is connected. */
  readonly isConnected: boolean;
  /** How many devices' notifications wait for it. */
  readonly pending: number;
  /** Why it is not connected, as far as is known. */
  readonly outage: BrokerOutage | undefined;
}

/** How much is known of a firmware that is announced. */
export interface AnnounceOptions {
  /** Publishes it although the broker has it already: a webhook said so. @default false */
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
  readonly #pause: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly #announced: Announced;
  readonly #homeAssistant: HomeAssistant | undefined;
  readonly #deliveries: Deliveries;
  readonly #replicas: Replicas;
  readonly #closing = new AbortController();
  #session: BrokerSession | undefined;
  #isOnlineEchoed: () => void = () => {};

  private constructor(options: MqttNotifierOptions, outbox: Outbox) {
    const { topic, homeAssistantPrefix: prefix, now = () => performance.now() } = options;
    this.#options = options;
    this.#outbox = outbox;
    this.#pause = options.pause ?? timer;
    const pause = (ms: number): Promise<void> => this.#pause(ms, this.#closing.signal);
    const topics = this.#topics = new Topics(topic);
    const announced = this.#announced = new Announced(now);
    const homeAssistant = this.#homeAssistant = prefix === undefined
      ? undefined
      : new HomeAssistant({ prefix, topics, now });
    this.#deliveries = new Deliveries({
      ...options,
      ...{ outbox, announced, topics, homeAssistant, pause },
    });
    this.#replicas = new Replicas({ check: (device) => this.#check(device), pause });
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

  /** Whether the broker is connected, why not, and how many notifications wait for it. */
  get state(): NotifierState {
    const { outage } = this.#options.broker;
    return { isConnected: this.#session !== undefined, pending: this.#outbox.size, outage };
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
    const isKnown = this.#announced.learn(device, firmware);
    if (always ? this.#announced.isJustSent(device, firmware) : isKnown) return;
    const atBroker = this.#announced.atBroker(device);
    const waiting = this.#outbox.get(device);
    const isNews = always || waiting !== undefined || !isSame(atBroker, firmware) ||
      this.#homeAssistant?.knows(device) === false;
    if (!isNews) return;
    const isWaiting = waiting !== undefined && isSame(waiting.firmware, firmware);
    // What is on its way already is not published twice for the sake of a webhook.
    if (isWaiting && (waiting.always || !always || !isSame(atBroker, firmware))) {
      return await this.#outbox.kept(device);
    }
    await this.#deliveries.put({
      device,
      firmware,
      always: always || waiting?.always === true,
      isConfirmed,
      replaces: isConfirmed ? atBroker : undefined,
    });
  }

  /**
   * Tells Home Assistant which version a device says that it runs, where that is news.
   *
   * @param device A device that the source knows.
   * @param versions What it says: any text.
   */
  polled(device: string, { running }: { readonly running: string }): void {
    const homeAssistant = this.#homeAssistant;
    if (homeAssistant?.note(device, running) !== true) return;
    // Whoever comes while the broker is away says it again.
    void this.#try(() =>
      this.#deliveries.once((session) => homeAssistant.tellInstalled(session, device))
    );
  }

  /**
   * Publishes what waits, says goodbye, and ends the connection; all within two seconds.
   *
   * @returns Settles, and never fails, once it is done or given up.
   */
  async close(): Promise<void> {
    const late = new AbortController();
    const end = async (): Promise<void> => {
      await Promise.race([this.#deliveries.settled(), this.#pause(DELIVER_MS, late.signal)]);
      this.#deliveries.end();
      const session = this.#session;
      this.#closing.abort();
      await this.#try(() => session?.publish(this.#topics.state, OFFLINE));
      await this.#options.broker.close();
      await this.#outbox.settled();
      late.abort();
    };
    await Promise.race([end(), timer(CLOSE_MS, late.signal)]);
  }

  /**
   * Learns what the broker has before anything is published. That all retained messages have come
   * is known when our own `online` comes back behind them.
   */
  async #greet(session: BrokerSession): Promise<void> {
    this.#session = session;
    this.#announced.forgetBroker();
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
    const isOver = (): boolean => this.#session !== session || this.#closing.signal.aborted;
    if (isOver()) return;
    if (isComplete) this.#restore();
    // A broker that was slow, or paused, has lost no less than one that was quick.
    else if (isHeard) void echo.then(() => isOver() || this.#restore());
    this.#deliveries.begin(session);
  }

  #lose(): void {
    this.#session = undefined;
    this.#deliveries.end();
    this.#options.observer.mqttConnected(false);
  }

  /**
   * A broker may have lost what it confirmed: one that keeps nothing on disk, and was killed. All
   * replicas notice that at once, so that each asks the source what is the newest.
   */
  #restore(): void {
    for (const [device, firmware] of this.#announced.missing()) {
      if (this.#outbox.get(device) !== undefined) continue;
      void this.#deliveries.put({
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
    this.#announced.heard(device, name);
    if (name !== undefined && this.#announced.isOthers(device, name)) {
      this.#replicas.heard(device);
    }
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
