/**
 * The series of what devices are served, and of how fresh that is.
 *
 * @module
 */

import { Counter, Gauge, type Registry } from "prom-client";

/** What is read each time that the metrics are. */
export interface FreshnessReadings {
  /** Gives devices in the cache with the seconds since they were confirmed, 0 where all is well. */
  readonly staleness: () => Iterable<readonly [device: string, seconds: number]>;
  /** Gives the seconds since any check has succeeded; undefined while none has. */
  readonly lastCheckSeconds: () => number | undefined;
}

/**
 * Fits what the domain tells (`FirmwareObserver`). Devices are bounded by what the registry holds:
 * only such that it knows are told of.
 */
export class FirmwareSeries {
  readonly #hits: Counter<"device_id">;
  readonly #misses: Counter<"device_id">;
  readonly #entries: Gauge;
  readonly #verifications: Counter<"device_id" | "result">;
  readonly #sourceUp: Gauge;
  readonly #failures: Counter<"code">;
  #readings: FreshnessReadings = { staleness: () => [], lastCheckSeconds: () => undefined };

  /**
   * Adds the series.
   *
   * @param registry All series.
   */
  constructor(registry: Registry) {
    const registers = [registry];
    const readings = (): FreshnessReadings => this.#readings;
    this.#hits = new Counter({
      name: "firmware_cache_hit_total",
      help: "Requests answered with firmware that was in the cache.",
      labelNames: ["device_id"],
      registers,
    });
    this.#misses = new Counter({
      name: "firmware_cache_miss_total",
      help: "Firmware fetched from the source because the cache did not hold it.",
      labelNames: ["device_id"],
      registers,
    });
    this.#entries = new Gauge({
      name: "firmware_cache_entries",
      help: "Devices whose firmware is in the cache.",
      registers,
    });
    this.#verifications = new Counter({
      name: "firmware_signature_verifications_total",
      help:
        "Firmware whose signature was looked for: valid, invalid, or error where it cannot be told.",
      labelNames: ["device_id", "result"],
      registers,
    });
    this.#sourceUp = new Gauge({
      name: "registry_up",
      help: "1 while the source of firmware answers, 0 while it cannot be reached.",
      registers,
    });
    new Gauge({
      name: "firmware_stale_seconds",
      help: "Seconds since the source last confirmed a device's firmware, 0 while checks succeed.",
      labelNames: ["device_id"],
      registers,
      collect(): void {
        // Anew each time: a device that left the cache is not stale for ever.
        this.reset();
        for (const [device, seconds] of readings().staleness()) {
          this.set({ device_id: device }, seconds);
        }
      },
    });
    new Gauge({
      name: "firmware_last_check_seconds",
      help: "Seconds since the source last confirmed any device's firmware; absent before it did.",
      registers,
      collect(): void {
        // What is not known is no number: 0 would say "just now".
        this.remove();
        const seconds = readings().lastCheckSeconds();
        if (seconds !== undefined) this.set(seconds);
      },
    });
    this.#failures = new Counter({
      name: "firmware_check_failures_total",
      help: "Checks of devices that were made and failed, by the code of the error.",
      labelNames: ["code"],
      registers,
    });
  }

  /**
   * Says where the freshness of devices is read each time that the metrics are.
   *
   * @param readings The manager's.
   */
  observe(readings: FreshnessReadings): void {
    this.#readings = readings;
  }

  /**
   * Counts a request answered from the cache.
   *
   * @param device A device that the source knows.
   */
  hit(device: string): void {
    this.#hits.inc({ device_id: device });
  }

  /**
   * Counts a fetch.
   *
   * @param device A device that the source knows.
   */
  miss(device: string): void {
    this.#misses.inc({ device_id: device });
  }

  /**
   * Sets the size of the cache.
   *
   * @param count How many devices have firmware in the cache now.
   */
  entries(count: number): void {
    this.#entries.set(count);
  }

  /**
   * Counts a verification.
   *
   * @param device A device that the source knows.
   * @param result What became of it.
   */
  verified(device: string, result: "valid" | "invalid" | "error"): void {
    this.#verifications.inc({ device_id: device, result });
  }

  /**
   * Sets whether the source answers.
   *
   * @param isUp Whether it does.
   */
  sourceUp(isUp: boolean): void {
    this.#sourceUp.set(isUp ? 1 : 0);
  }

  /**
   * Counts a check that has failed.
   *
   * @param code Why, out of a closed set.
   */
  checkFailed(code: string): void {
    this.#failures.inc({ code });
  }
}
