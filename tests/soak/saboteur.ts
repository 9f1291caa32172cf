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
import type { Service } from "./service.ts";
import { sleep } from "./sleep.ts";

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

/** So often one goes at a time; else a second one goes for a moment while the first is away. */
const ALONE = 0.6;

/** Does mischief until it is told to stop, and leaves everything up and empty. */
export class Saboteur {
  readonly #options: SaboteurOptions;
  #deeds = 0;
  #fillings = 0;

  constructor(options: SaboteurOptions) {
    this.#options = options;
  }

  /** Works with both hands: one for processes, one for the disk. */
  async work(licence: Licence, signal: AbortSignal): Promise<void> {
    await Promise.all([this.#workOnProcesses(licence, signal), this.#workOnDisk(signal)]);
  }

  async #workOnProcesses(licence: Licence, signal: AbortSignal): Promise<void> {
    const { findings, tempo } = this.#options;
    while (!signal.aborted) {
      // Each deed by itself: how long others took changes nothing of it.
      const chance = this.#options.chance.fork(`deed ${this.#deeds++}`);
      await sleep(chance.between(300, 5000) * tempo, signal);
      if (signal.aborted) return;
      const deed = drawDeed(chance, licence);
      // Mostly short, at times longer than anybody waits.
      const absenceMs = LONGEST_ABSENCE_MS * chance.between(0, 1) ** 2 * tempo;
      const meanwhile = drawDeed(chance, licence);
      const isAlone = chance.is(ALONE) || meanwhile.target === deed.target;
      await this.#do(deed);
      await sleep(absenceMs / 2, signal);
      if (!isAlone) {
        // What starts now finds the other one away.
        await this.#do(meanwhile);
        await this.#undo(meanwhile);
      }
      await sleep(absenceMs / 2, signal);
      await this.#undo(deed);
      findings.did(`${deed.target} is back, after ${absenceMs.toFixed(0)} ms`);
    }
  }

  async #workOnDisk(signal: AbortSignal): Promise<void> {
    const { disk, findings, tempo } = this.#options;
    while (disk.canBeFilled && !signal.aborted) {
      const chance = this.#options.chance.fork(`filling ${this.#fillings++}`);
      await sleep(chance.between(2000, 12_000) * tempo, signal);
      if (signal.aborted) return;
      findings.did("fill the disk");
      findings.count("disk filled");
      await disk.fill();
      await sleep(chance.between(500, 8000) * tempo, signal);
      await disk.empty();
      findings.did("empty the disk");
    }
  }

  async #do({ kind, target }: Deed): Promise<void> {
    const { findings } = this.#options;
    findings.did(`${kind} ${target}`);
    findings.count(`${target} ${kind === "kill" ? "killed" : "paused"}`);
    await this.#options[target][kind]();
  }

  async #undo({ kind, target, refreshInterval }: Deed): Promise<void> {
    const { registry, broker, service } = this.#options;
    if (kind === "pause") return this.#options[target].resume();
    if (target === "service") await service.start(refreshInterval);
    else await (target === "registry" ? registry : broker).start();
  }
}

/** Something done to somebody. */
interface Deed {
  readonly kind: "kill" | "pause";
  readonly target: "registry" | "broker" | "service";
  /** With what the service is started again. */
  readonly refreshInterval: string;
}

function drawDeed(chance: Chance, { killsService, refreshIntervals }: Licence): Deed {
  const target = chance.weighted({ registry: 4, broker: 3, service: 3 });
  const kind = chance.pick(["kill", "pause"] as const);
  return {
    target,
    kind: target === "service" && !killsService ? "pause" : kind,
    refreshInterval: chance.pick(refreshIntervals),
  };
}
