/**
 * Every series that is exposed. What belongs together has a file of its own, with names, units,
 * labels and what bounds them; here is the list that joins them.
 *
 * @module
 */

import { Registry } from "prom-client";
import { BuildSeries } from "./build_series.ts";
import { DownloadSeries } from "./download_series.ts";
import { FirmwareSeries } from "./firmware_series.ts";
import { FleetSeries } from "./fleet_series.ts";
import { MqttSeries } from "./mqtt_series.ts";
import { addProcessSeries } from "./process_series.ts";
import { RegistrySeries } from "./registry_series.ts";
import { RequestSeries } from "./request_series.ts";
import { StoreSeries } from "./store_series.ts";
import { TlsSeries } from "./tls_series.ts";
import { WebhookSeries } from "./webhook_series.ts";

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

/** The service's metrics. */
export class Metrics {
  readonly #registry = new Registry();

  /** What devices are served. */
  readonly firmware = new FirmwareSeries(this.#registry);
  /** What devices run. */
  readonly fleet = new FleetSeries(this.#registry);
  /** What devices are sent. */
  readonly downloads = new DownloadSeries(this.#registry);
  /** What devices and registries ask. */
  readonly requests = new RequestSeries(this.#registry);
  /** What registries tell. */
  readonly webhooks = new WebhookSeries(this.#registry);
  /** What subscribers are told. */
  readonly mqtt = new MqttSeries(this.#registry);
  /** What is asked of the registry. */
  readonly registry = new RegistrySeries(this.#registry);
  /** What is kept. */
  readonly store = new StoreSeries(this.#registry);
  /** What devices see of the certificate. */
  readonly tls = new TlsSeries(this.#registry);
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
}
