/**
 * The series of what subscribers are told by MQTT.
 *
 * @module
 */

import { Counter, Gauge, type Registry } from "prom-client";

/** Fits what the notifier tells (`NotifierObserver`). */
export class MqttSeries {
  readonly #connected: Gauge;
  readonly #published: Counter<"result">;
  readonly #pending: Gauge;

  /**
   * Adds the series.
   *
   * @param registry All series.
   */
  constructor(registry: Registry) {
    const registers = [registry];
    this.#connected = new Gauge({
      name: "mqtt_connected",
      help: "1 while the MQTT broker is connected, 0 while it is not, or none is configured.",
      registers,
    });
    this.#published = new Counter({
      name: "mqtt_published_total",
      help: "Notifications that the MQTT broker confirmed, or that failed and are tried again.",
      labelNames: ["result"],
      registers,
    });
    this.#pending = new Gauge({
      name: "mqtt_pending",
      help: "Devices whose newest notification waits for the MQTT broker.",
      registers,
    });
  }

  /**
   * Sets whether the MQTT broker is connected.
   *
   * @param isConnected Whether it is.
   */
  mqttConnected(isConnected: boolean): void {
    this.#connected.set(isConnected ? 1 : 0);
  }

  /**
   * Counts a notification.
   *
   * @param result What became of it.
   */
  mqttPublished(result: "confirmed" | "failed"): void {
    this.#published.inc({ result });
  }

  /**
   * Sets how many notifications wait.
   *
   * @param count How many now.
   */
  mqttPending(count: number): void {
    this.#pending.set(count);
  }
}
