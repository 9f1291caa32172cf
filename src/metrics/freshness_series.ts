/**
 * The series of when the source was last heard of.
 *
 * @module
 */

import { Gauge, type Registry } from "prom-client";

/** Says how long ago any check succeeded. */
export class FreshnessSeries {
  #readSeconds: () => number | undefined = () => undefined;

  /**
   * Adds the series.
   *
   * @param registry All series.
   */
  constructor(registry: Registry) {
    const read = (): number | undefined => this.#readSeconds();
    new Gauge({
      name: "firmware_last_check_seconds",
      help: "Seconds since the source last confirmed any device's firmware; absent before it did.",
      registers: [registry],
      collect(): void {
        // What is not known is no number: 0 would say "just now".
        this.remove();
        const seconds = read();
        if (seconds !== undefined) this.set(seconds);
      },
    });
  }

  /**
   * Says where the time is read each time that the metrics are.
   *
   * @param readSeconds Gives the seconds; undefined while no check has succeeded.
   */
  observe(readSeconds: () => number | undefined): void {
    this.#readSeconds = readSeconds;
  }
}
