/**
 * The series of what is asked of the registry.
 *
 * @module
 */

import { Counter, Histogram, type Registry } from "prom-client";

/** Seconds; a registry across the world, or one that has to wake up, takes a few. */
const DURATION_BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Counts and times requests to the registry. Fits what the transport tells (`RequestObserver`). */
export class RegistrySeries {
  readonly #requests: Counter<"kind" | "result">;
  readonly #durations: Histogram<"kind" | "result">;
  readonly #received: Counter<"kind">;

  /**
   * Adds the series.
   *
   * @param registry All series.
   */
  constructor(registry: Registry) {
    const common = { labelNames: ["kind", "result"] as const, registers: [registry] };
    this.#requests = new Counter({
      ...common,
      name: "registry_requests_total",
      help: "Requests that were sent to the registry, each attempt and each redirect by itself.",
    });
    this.#durations = new Histogram({
      ...common,
      name: "registry_request_duration_seconds",
      help: "Time from a request to the registry to the head of its answer, in seconds.",
      buckets: DURATION_BUCKETS_SECONDS,
    });
    this.#received = new Counter({
      name: "registry_received_bytes_total",
      help: "Bytes of the bodies that the registry sent.",
      labelNames: ["kind"],
      registers: [registry],
    });
  }

  /**
   * Counts and times a request.
   *
   * @param kind What was asked for, out of a closed set.
   * @param result What became of it, out of a closed set.
   * @param seconds How long it took to the head of the answer.
   */
  requested(kind: string, result: string, seconds: number): void {
    this.#requests.inc({ kind, result });
    this.#durations.observe({ kind, result }, seconds);
  }

  /**
   * Counts bytes of a body.
   *
   * @param kind What was asked for, out of a closed set.
   * @param bytes How many more have come.
   */
  received(kind: string, bytes: number): void {
    this.#received.inc({ kind }, bytes);
  }
}
