/**
 * The series of registries' webhooks.
 *
 * @module
 */

import { Counter, type Registry } from "prom-client";

/** Counts webhooks. Sources are those of the API's table, results those of its type. */
export class WebhookSeries {
  readonly #webhooks: Counter<"source" | "result">;

  /**
   * Adds the series.
   *
   * @param registry All series.
   */
  constructor(registry: Registry) {
    this.#webhooks = new Counter({
      name: "webhooks_total",
      help: "Webhooks of registries by what became of them.",
      labelNames: ["source", "result"],
      registers: [registry],
    });
  }

  /**
   * Counts a registry's webhook.
   *
   * @param source Which registry's, out of a closed set.
   * @param result What became of it, out of a closed set.
   */
  webhook(source: string, result: string): void {
    this.#webhooks.inc({ source, result });
  }
}
