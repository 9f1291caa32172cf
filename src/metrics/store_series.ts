/**
 * The series of what is kept.
 *
 * @module
 */

import { Counter, Gauge, type Registry } from "prom-client";

/** What of the store is read each time that the metrics are. */
export interface StoreReadings {
  /** How many bytes are kept now. */
  readonly bytes: () => number;
  /** How many may be kept at most. */
  readonly maxBytes: number;
}

/** Says how full the store is. Both gauges are 0 until a store is observed. */
export class StoreSeries {
  readonly #evictions: Counter;
  #readings: StoreReadings = { bytes: () => 0, maxBytes: 0 };

  /**
   * Adds the series.
   *
   * @param registry All series.
   */
  constructor(registry: Registry) {
    const readings = (): StoreReadings => this.#readings;
    new Gauge({
      name: "firmware_cache_bytes",
      help: "Bytes of firmware that are kept, each content counted once.",
      registers: [registry],
      collect(): void {
        this.set(readings().bytes());
      },
    });
    new Gauge({
      name: "firmware_cache_limit_bytes",
      help: "The most bytes of firmware that are kept, as --cache-max-bytes says.",
      registers: [registry],
      collect(): void {
        this.set(readings().maxBytes);
      },
    });
    this.#evictions = new Counter({
      name: "firmware_cache_evictions_total",
      help: "Contents that had to go because the cache was full.",
      registers: [registry],
    });
  }

  /**
   * Says where the readings come from.
   *
   * @param readings The store's.
   */
  observe(readings: StoreReadings): void {
    this.#readings = readings;
  }

  /** Counts a content that had to go. */
  evicted(): void {
    this.#evictions.inc();
  }
}
