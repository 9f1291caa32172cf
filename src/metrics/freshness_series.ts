/**
 * The series of what became of checks.
 *
 * @module
 */

import { Counter, Gauge, type Registry } from "prom-client";

/** Says how long ago any check succeeded, and how many did not. */
export class FreshnessSeries {
  readonly #failures: Counter<"code">;
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
    this.#failures = new Counter({
      name: "firmware_check_failures_total",
      help: "Checks of devices that were made and failed, by the code of the error.",
      labelNames: ["code"],
      registers: [registry],
    });
  }

  /**
   * Counts a check that has failed.
   *
   * @param code Why, out of a closed set.
   */
  checkFailed(code: string): void {
    this.#failures.inc({ code });
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
