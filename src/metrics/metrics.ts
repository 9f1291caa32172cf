/**
 * Every series that is exposed: its name, unit, labels and what bounds them.
 *
 * @module
 */

import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { BuildSeries } from "./build_series.ts";
import { DeliverySeries } from "./delivery_series.ts";
import { FreshnessSeries } from "./freshness_series.ts";
import { addProcessSeries } from "./process_series.ts";
import { RegistrySeries } from "./registry_series.ts";
import { StoreSeries } from "./store_series.ts";
import { VersionLabels } from "./version_labels.ts";

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

/** What a series is, without its values. */
export interface SeriesDescription {
  /** Its name; a histogram's is without `_bucket`, `_sum` and `_count`. */
  readonly name: string;
  /** Whether it counts, measures or sorts into buckets. */
  readonly type: string;
  /** The names of its labels. */
  readonly labels: readonly string[];
  /** One sentence. */
  readonly help: string;
}

/** The service's metrics. Fits what the domain tells (`FirmwareObserver`). */
export class Metrics {
  readonly #registry = new Registry();

  /** Bounded by what the registry holds: only devices that it knows are told of. */
  readonly #hits = new Counter({
    name: "firmware_cache_hit_total",
    help: "Requests answered with firmware that was in the cache.",
    labelNames: ["device_id"],
    registers: [this.#registry],
  });
  readonly #misses = new Counter({
    name: "firmware_cache_miss_total",
    help: "Firmware fetched from the source because the cache did not hold it.",
    labelNames: ["device_id"],
    registers: [this.#registry],
  });
  readonly #entries = new Gauge({
    name: "firmware_cache_entries",
    help: "Devices whose firmware is in the cache.",
    registers: [this.#registry],
  });
  readonly #verifications = new Counter({
    name: "firmware_signature_verifications_total",
    help:
      "Firmware whose signature was looked for: valid, invalid, or error where it cannot be told.",
    labelNames: ["device_id", "result"],
    registers: [this.#registry],
  });
  readonly #sourceUp = new Gauge({
    name: "registry_up",
    help: "1 while the source of firmware answers, 0 while it cannot be reached.",
    registers: [this.#registry],
  });
  readonly #staleness = new Gauge({
    name: "firmware_stale_seconds",
    help: "Seconds since the source last confirmed a device's firmware, 0 while checks succeed.",
    labelNames: ["device_id"],
    registers: [this.#registry],
    collect: () => this.#collectStaleness(),
  });
  #readStaleness: () => Iterable<readonly [device: string, seconds: number]> = () => [];

  /** Bounded by {@linkcode VersionLabels} for each device. */
  readonly #polls = new Counter({
    name: "firmware_device_polls_total",
    help: "Requests of devices that say which version they run.",
    labelNames: ["device_id", "version"],
    registers: [this.#registry],
  });
  readonly #versionLabels = new VersionLabels();
  readonly #downloads = new Gauge({
    name: "firmware_downloads_in_progress",
    help: "Downloads of firmware that are under way.",
    registers: [this.#registry],
    collect: (): void => this.#downloads.set(this.#readDownloads()),
  });
  #readDownloads: () => number = () => 0;
  readonly #downloadsRefused = new Counter({
    name: "firmware_downloads_refused_total",
    help: "Downloads that were sent away because too many were under way.",
    registers: [this.#registry],
  });

  readonly #requests = new Counter({
    name: "http_requests_total",
    help: "HTTP requests of devices and registries.",
    labelNames: ["method", "path", "status"],
    registers: [this.#registry],
  });
  readonly #durations = new Histogram({
    name: "http_request_duration_seconds",
    help: "Time from a request to the head of its answer, in seconds.",
    labelNames: ["method", "path", "status"],
    buckets: DURATION_BUCKETS_SECONDS,
    registers: [this.#registry],
  });
  /** Sources are those of the API's table, results those of its type. */
  readonly #webhooks = new Counter({
    name: "webhooks_total",
    help: "Webhooks of registries by what became of them.",
    labelNames: ["source", "result"],
    registers: [this.#registry],
  });

  /** What is asked of the registry. */
  readonly registry = new RegistrySeries(this.#registry);
  /** What is kept. */
  readonly store = new StoreSeries(this.#registry);
  /** What devices were sent. */
  readonly delivery = new DeliverySeries(this.#registry);
  /** What became of checks. */
  readonly freshness = new FreshnessSeries(this.#registry);
  /** What runs. */
  readonly build = new BuildSeries(this.#registry);

  /** Makes all series; none has a value but those that count from 0. */
  constructor() {
    addProcessSeries(this.#registry);
  }

  /** The media type of {@linkcode Metrics.expose}'s text. */
  get contentType(): string {
    return this.#registry.contentType;
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
   * Counts a request of a device that says what it runs.
   *
   * @param device A device that the source knows.
   * @param versions What it says that it runs, any text, and what it is offered.
   */
  polled(
    device: string,
    versions: { readonly running: string; readonly offered: string },
  ): void {
    const { label, dropped } = this.#versionLabels.label(device, versions);
    if (dropped !== undefined) this.#polls.remove({ device_id: device, version: dropped });
    this.#polls.inc({ device_id: device, version: label });
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
    this.freshness.checkFailed(code);
  }

  /**
   * Says where the staleness of devices is read each time that the metrics are.
   *
   * @param read Gives devices in the cache with their seconds.
   */
  observeStaleness(read: () => Iterable<readonly [device: string, seconds: number]>): void {
    this.#readStaleness = read;
  }

  /**
   * Says where the number of downloads is read each time that the metrics are.
   *
   * @param read Gives how many are under way.
   */
  observeDownloads(read: () => number): void {
    this.#readDownloads = read;
  }

  /** Counts a download that was sent away because too many were under way. */
  downloadRefused(): void {
    this.#downloadsRefused.inc();
  }

  /**
   * Counts and times a request.
   *
   * @param labels What was asked and answered.
   * @param seconds How long it took to the head of the answer.
   */
  request({ method, path, status }: RequestLabels, seconds: number): void {
    const labels = { method, path, status: String(status) };
    this.#requests.inc(labels);
    this.#durations.observe(labels, seconds);
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

  /**
   * Writes all series down.
   *
   * @returns Prometheus's text format.
   */
  expose(): Promise<string> {
    return this.#registry.metrics();
  }

  /**
   * Says which series there are, whether they have values yet or not.
   *
   * @returns Each once, in the order in which they are written down.
   */
  describe(): readonly SeriesDescription[] {
    // The library's types leave out a name that it has.
    type Described = { readonly name: string; readonly type: string; readonly help: string };
    type Labelled = Described & { readonly labelNames: readonly string[] };
    return (this.#registry.getMetricsAsArray() as unknown as readonly Labelled[])
      .map(({ name, type, labelNames, help }) => ({ name, type, labels: labelNames, help }));
  }

  /** Anew each time: a device that left the cache is not stale for ever. */
  #collectStaleness(): void {
    this.#staleness.reset();
    for (const [device, seconds] of this.#readStaleness()) {
      this.#staleness.set({ device_id: device }, seconds);
    }
  }
}
