/**
 * The series of what devices say that they run.
 *
 * @module
 */

import { Counter, type Registry } from "prom-client";
import { VersionLabels } from "./version_labels.ts";

/** Counts devices' requests by version. Bounded by {@linkcode VersionLabels} for each device. */
export class FleetSeries {
  readonly #polls: Counter<"device_id" | "version">;
  readonly #versionLabels = new VersionLabels();

  /**
   * Adds the series.
   *
   * @param registry All series.
   */
  constructor(registry: Registry) {
    this.#polls = new Counter({
      name: "firmware_device_polls_total",
      help: "Requests of devices that say which version they run.",
      labelNames: ["device_id", "version"],
      registers: [registry],
    });
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
   * Tells what a device's fleet says that it runs.
   *
   * @param device A device id.
   * @returns Each version with the number of requests that said so, the most frequent first.
   */
  reportedVersions(device: string): { readonly version: string; readonly polls: number }[] {
    return this.#versionLabels.counted(device);
  }
}
