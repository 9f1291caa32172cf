/**
 * Who kills, pauses and fills: what is done, and in which order, follows from the seed alone.
 *
 * @module
 */

import type { DockerRegistry } from "../helpers/docker_registry.ts";
import type { Mosquitto } from "../helpers/mosquitto.ts";
import type { Chance } from "./chance.ts";
import type { Disk } from "./disk.ts";
import type { Findings } from "./findings.ts";
import { sleep } from "./fleet.ts";
import type { Service } from "./service.ts";

/** Options of {@linkcode Saboteur}. */
export interface SaboteurOptions {
  readonly registry: DockerRegistry;
  readonly broker: Mosquitto;
  readonly service: Service;
  readonly disk: Disk;
  readonly chance: Chance;
  readonly findings: Findings;
  /** How long things last, as a factor. */
  readonly tempo: number;
}

/** Which mischief may be done. */
export interface Licence {
  /** Whether the service may be killed: what it holds in memory is gone then. */
  readonly killsService: boolean;
  /** The refresh intervals that it may be started with again. */
  readonly refreshIntervals: readonly string[];
}

/** The longest that somebody is away, in milliseconds: longer than `--registry-timeout`. */
const LONGEST_ABSENCE_MS = 8000;

/** Does mischief until it is told to stop, and leaves everything up and empty. */
export class Saboteur {
  readonly #options: SaboteurOptions;
  readonly #disks: Chance;

  constructor(options: SaboteurOptions) {
    this.#options = options;
    this.#disks = options.chance.fork("disk");
  }

  /** Works with both hands: one for processes, one for the disk. */
  async work(licence: Licence, signal: AbortSignal): Promise<void> {
    await Promise.all([this.#workOnProcesses(licence, signal), this.#workOnDisk(signal)]);
  }

  async #workOnProcesses(licence: Licence, signal: AbortSignal): Promise<void> {
    const { chance, findings, tempo } = this.#options;
    while (!signal.aborted) {
      await sleep(chance.between(300, 5000) * tempo, signal);
      if (signal.aborted) return;
      const target = chance.weighted({ registry: 4, broker: 3, service: 3 });
      const deed = target === "service" && !licence.killsService
        ? "pause"
        : chance.pick(["kill", "pause"] as const);
      // Mostly short, at times longer than anybody waits.
      const absenceMs = LONGEST_ABSENCE_MS * chance.between(0, 1) ** 2 * tempo;
      const interval = chance.pick(licence.refreshIntervals);
      findings.did(`${deed} ${target} for ${absenceMs.toFixed(0)} ms`);
      findings.count(deed === "kill" ? `${target} killed` : `${target} paused`);
      await this.#do(deed, target);
      await sleep(absenceMs, signal);
      await this.#undo(deed, target, interval);
    }
  }

  async #workOnDisk(signal: AbortSignal): Promise<void> {
    const { disk, findings, tempo } = this.#options;
    while (disk.canBeFilled && !signal.aborted) {
      await sleep(this.#disks.between(5000, 25_000) * tempo, signal);
      if (signal.aborted) return;
      findings.did("fill the disk");
      findings.count("disk filled");
      await disk.fill();
      await sleep(this.#disks.between(500, 8000) * tempo, signal);
      await disk.empty();
      findings.did("empty the disk");
    }
  }

  async #do(deed: "kill" | "pause", target: "registry" | "broker" | "service"): Promise<void> {
    await this.#options[target][deed]();
  }

  async #undo(
    deed: "kill" | "pause",
    target: "registry" | "broker" | "service",
    refreshInterval: string,
  ): Promise<void> {
    const { registry, broker, service } = this.#options;
    if (deed === "pause") return this.#options[target].resume();
    if (target === "service") await service.start(refreshInterval);
    else await (target === "registry" ? registry : broker).start();
  }
}
