/**
 * The series of HTTP requests.
 *
 * @module
 */

import { Counter, Histogram, type Registry } from "prom-client";

/** Seconds; the Rust OtaFlux has the same, so that its dashboards go on working. */
const DURATION_BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Labels of a request. All three come from closed sets. */
export interface RequestLabels {
  /** An HTTP method, or `other`. */
  readonly method: string;
  /** A route's pattern, or `other`. */
  readonly path: string;
  /** The answer's status. */
  readonly status: number;
}

/** Counts and times requests of devices and registries. */
export class RequestSeries {
  readonly #durations: Histogram<keyof RequestLabels>;

  /**
   * Adds the series.
   *
   * @param registry All series.
   */
  constructor(registry: Registry) {
    const common = { labelNames: ["method", "path", "status"] as const, registers: [registry] };
    const name = "http_request_duration_seconds";
    const durations = new Histogram({
      ...common,
      name,
      help: "Time from a request to the head of its answer, in seconds.",
      buckets: DURATION_BUCKETS_SECONDS,
    });
    this.#durations = durations;
    new Counter({
      ...common,
      name: "http_requests_total",
      help: "HTTP requests of devices and registries.",
      // Counted with the durations already: nothing is added to the way of each request.
      async collect(): Promise<void> {
        this.reset();
        for (const { labels, value, metricName } of (await durations.get()).values) {
          if (metricName === `${name}_count`) this.inc(labels, value);
        }
      },
    });
  }

  /**
   * Counts and times a request.
   *
   * @param labels What was asked and answered.
   * @param seconds How long it took to the head of the answer.
   */
  request({ method, path, status }: RequestLabels, seconds: number): void {
    this.#durations.observe({ method, path, status: String(status) }, seconds);
  }
}
