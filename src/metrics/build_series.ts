/**
 * The series that says what runs.
 *
 * @module
 */

import { Gauge, type Registry } from "prom-client";

/** What a process was made of. */
export interface Build {
  /** The version of the release. */
  readonly version: string;
  /** The commit; undefined from source. */
  readonly commit: string | undefined;
}

/** Names version and commit. */
export class BuildSeries {
  readonly #info: Gauge<"version" | "commit">;

  /**
   * Adds the series.
   *
   * @param registry All series.
   */
  constructor(registry: Registry) {
    this.#info = new Gauge({
      name: "otaflux_build_info",
      help: "Always 1; the labels say which version runs, and the commit that it was made of.",
      labelNames: ["version", "commit"],
      registers: [registry],
    });
  }

  /**
   * Says what runs.
   *
   * @param build Version and commit.
   */
  set({ version, commit = "" }: Build): void {
    this.#info.set({ version, commit }, 1);
  }
}
