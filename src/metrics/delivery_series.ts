/**
 * The series of what devices were sent.
 *
 * @module
 */

import { Counter, type Registry } from "prom-client";

/** Counts the bytes that devices took. */
export class DeliverySeries {
  #readSentBytes: () => number = () => 0;

  /**
   * Adds the series.
   *
   * @param registry All series.
   */
  constructor(registry: Registry) {
    const read = (): number => this.#readSentBytes();
    new Counter({
      name: "firmware_sent_bytes_total",
      help: "Bytes of firmware that were handed over to devices' connections.",
      registers: [registry],
      // Read, not told of: nothing is added to the way of each chunk.
      collect(): void {
        this.reset();
        this.inc(read());
      },
    });
  }

  /**
   * Says where the number is read each time that the metrics are.
   *
   * @param readSentBytes Gives all bytes since the start of the process.
   */
  observe(readSentBytes: () => number): void {
    this.#readSentBytes = readSentBytes;
  }
}
