/**
 * The series of what devices are sent.
 *
 * @module
 */

import { Counter, Gauge, type Registry } from "prom-client";

/** What is read each time that the metrics are. */
export interface DownloadReadings {
  /** How many downloads are under way. */
  readonly count: number;
  /** How many bytes were handed over since the start of the process. */
  readonly sentBytes: number;
}

/** Counts downloads and their bytes. */
export class DownloadSeries {
  readonly #refused: Counter;
  #readings: DownloadReadings = { count: 0, sentBytes: 0 };

  /**
   * Adds the series.
   *
   * @param registry All series.
   */
  constructor(registry: Registry) {
    const registers = [registry];
    const readings = (): DownloadReadings => this.#readings;
    new Gauge({
      name: "firmware_downloads_in_progress",
      help: "Downloads of firmware that are under way.",
      registers,
      collect(): void {
        this.set(readings().count);
      },
    });
    this.#refused = new Counter({
      name: "firmware_downloads_refused_total",
      help: "Downloads that were sent away because too many were under way.",
      registers,
    });
    new Counter({
      name: "firmware_sent_bytes_total",
      help: "Bytes of firmware that were handed over to devices' connections.",
      registers,
      // Read, not told of: nothing is added to the way of each chunk.
      collect(): void {
        this.reset();
        this.inc(readings().sentBytes);
      },
    });
  }

  /**
   * Says where the numbers are read.
   *
   * @param readings All downloads: each number is what it is when the metrics are read.
   */
  observe(readings: DownloadReadings): void {
    this.#readings = readings;
  }

  /** Counts a download that was sent away because too many were under way. */
  refused(): void {
    this.#refused.inc();
  }
}
