/**
 * A soak: the real registry, broker and service, a thousand devices, and somebody who kills, pauses
 * and fills what he can, for an hour. What must never happen is taken down.
 *
 * @module
 */

import { Catalogue } from "./catalogue.ts";
import { Chance } from "./chance.ts";
import { Findings } from "./findings.ts";
import { Fleet } from "./fleet.ts";
import { type Footprint, footprintOf } from "./footprint.ts";
import { leftoversIn } from "./leftovers.ts";
import { Publisher, type Span } from "./publisher.ts";
import { type Licence, Saboteur } from "./saboteur.ts";
import { judgeMessages, settle } from "./settle.ts";
import { sleep } from "./sleep.ts";
import { REGISTRY_CONCURRENCY, type SoakTools, Stage } from "./stage.ts";

/** How a soak is done. */
export interface SoakOptions {
  /** All that is drawn follows from it. */
  readonly seed: number;
  /** How long, in milliseconds, beside the beginning and the end. */
  readonly durationMs: number;
  /** How many devices there are. */
  readonly devices: number;
  /** How many device ids they share. */
  readonly ids: number;
  /** How long a device waits between two polls, in milliseconds. */
  readonly pollMs: number;
  /** How slow slow devices are. */
  readonly slowestBytesPerSecond: number;
  /** How long each publisher waits between two changes, in milliseconds. */
  readonly changeMs: number;
  /** How long it is disturbed before it is looked at again, in milliseconds. */
  readonly roundMs: number;
  /** How long the mischief lasts, as a factor. */
  readonly tempo: number;
  /** How long the service may take to come to rest, in milliseconds. */
  readonly patienceMs: number;
  /** How long it rests before its memory is looked at, in milliseconds. */
  readonly restMs: number;
  /** Where the service's log is kept. @default nowhere */
  readonly logPath?: string | undefined;
  /** Ends it before its time. @default never */
  readonly signal?: AbortSignal;
  /** Hears of the progress, a line at a time. */
  readonly say: (line: string) => void;
}

/**
 * What a process took at rest, while it outlived a chapter: after the first round, after that in the
 * middle, by which all that it remembers has filled, and after the last.
 */
export interface Stay {
  readonly chapter: string;
  readonly first: Footprint;
  readonly middle: Footprint;
  readonly last: Footprint;
}

/** What came out. */
export interface SoakReport {
  readonly findings: Findings;
  readonly stays: readonly Stay[];
  /** How long it took at most until all was right after a round, in milliseconds. */
  readonly slowestMs: number;
}

/** What may be done, a third of the time each. */
const CHAPTERS: readonly (Licence & { readonly name: string })[] = [
  { name: "the service is killed, too", killsService: true, refreshIntervals: ["24h", "5s"] },
  { name: "only events tell of changes", killsService: false, refreshIntervals: ["24h"] },
  { name: "checks find the changes", killsService: false, refreshIntervals: ["15s"] },
];

/** So many of all ids have room in the service's memory; others come and go. */
const IDS_IN_MEMORY = 0.7;

/** Each of them changes ids of its own, so that what they do follows from the seed. */
const PUBLISHERS = 3;

/**
 * So much more memory may be taken at the end of a chapter than in its middle. In an hour it went up
 * in the first ten minutes of a process, by a third, and up and down by a seventh from then on.
 */
const MEMORY_RATIO = 1.3;

/** After so many rounds at least a process is compared with what it was. */
const ROUNDS = 2;

/** So often, after so many milliseconds each, files are looked at that should not be there, or open. */
const LOOKS_AT_FILES = 10;
const LOOK_MS = 200;

/**
 * Connections to the registry that are kept for the next request. It gets eight requests at once, but
 * who finds no connection free begins one, and takes the first that comes free: eleven were seen.
 */
const SPARE_DESCRIPTORS = 3 * REGISTRY_CONCURRENCY;

/** Does a soak. Everything that it starts has ended when it comes back. */
export async function soak(tools: SoakTools, options: SoakOptions): Promise<SoakReport> {
  const findings = new Findings(options.say);
  const cacheSize = Math.ceil(options.ids * IDS_IN_MEMORY);
  const catalogue = new Catalogue();
  const { logPath } = options;
  await using stage = await Stage.set(tools, { findings, catalogue, cacheSize, logPath });
  const run = new Soak({ stage, findings, catalogue }, options);
  await run.prepare();
  for (const chapter of CHAPTERS) if (!options.signal?.aborted) await run.live(chapter);
  await run.finish();
  return { findings, stays: run.stays, slowestMs: run.slowestMs };
}

/** A soak under way. */
class Soak {
  readonly #stage: Stage;
  readonly #findings: Findings;
  readonly #options: SoakOptions;
  readonly #ids: readonly string[];
  readonly #catalogue: Catalogue;
  readonly #fleet: Fleet;
  readonly #saboteur: Saboteur;
  readonly #publishers: readonly { readonly publisher: Publisher; readonly chance: Chance }[];
  #messagesJudged = 0;
  #slowestMs = 0;
  readonly stays: Stay[] = [];

  constructor(
    { stage, findings, catalogue }: {
      readonly stage: Stage;
      readonly findings: Findings;
      readonly catalogue: Catalogue;
    },
    options: SoakOptions,
  ) {
    const { seed, devices, pollMs, slowestBytesPerSecond, tempo } = options;
    const chance = new Chance(seed);
    this.#stage = stage;
    this.#findings = findings;
    this.#catalogue = catalogue;
    this.#options = options;
    const ids = this.#ids = Array.from(
      { length: options.ids },
      // Some below others' names, as devices of one place are.
      (_, number) => number % 5 === 0 ? `garden/pump-${number}` : `pump-${number}`,
    );
    const shared = { ...stage, catalogue, findings };
    this.#publishers = Array.from({ length: PUBLISHERS }, (_, number) => {
      const own = chance.fork(`publisher ${number}`);
      const theirs = ids.filter((_, at) => at % PUBLISHERS === number);
      return { chance: own, publisher: new Publisher({ ...shared, ids: theirs, chance: own }) };
    });
    const hasChanged = (id: string, span: Span): boolean =>
      this.#publishers.some(({ publisher }) => publisher.hasChanged(id, span));
    this.#fleet = new Fleet({
      ...{ ids, size: devices, pollMs, slowestBytesPerSecond, chance: chance.fork("fleet") },
      world: { ...shared, hasChanged },
    });
    this.#saboteur = new Saboteur({ ...shared, chance: chance.fork("saboteur"), tempo });
  }

  get slowestMs(): number {
    return this.#slowestMs;
  }

  /** Gives every id a firmware. */
  async prepare(): Promise<void> {
    this.#options.say(`Seed ${this.#options.seed}: ${this.#ids.length} ids get a firmware`);
    await Promise.all(this.#publishers.map(({ publisher }) => publisher.begin()));
  }

  /** Lives through a chapter, round after round, with one process of the service at least. */
  async live(chapter: typeof CHAPTERS[number]): Promise<void> {
    const { service } = this.#stage;
    const endsMs = performance.now() + this.#options.durationMs / CHAPTERS.length;
    if (service.isUp) await service.stop();
    await service.start(chapter.refreshIntervals[0] ?? "");
    const footprints: Footprint[] = [];
    while (footprints.length < ROUNDS || performance.now() < endsMs) {
      if (this.#options.signal?.aborted) break;
      await this.#disturb(chapter);
      footprints.push(await this.#look(chapter));
    }
    const [first] = footprints;
    const middle = footprints[Math.floor((footprints.length - 1) / 2)];
    const last = footprints.at(-1);
    if (first === undefined || middle === undefined || last === undefined) return;
    if (chapter.killsService || footprints.length < ROUNDS) return;
    const stay = { chapter: chapter.name, first, middle, last };
    this.stays.push(stay);
    this.#compare(stay);
  }

  /** Starts the service once more: then nothing is left that no index names. */
  async finish(): Promise<void> {
    const { service } = this.#stage;
    await service.stop();
    await service.start("24h");
    await this.#settle();
    await this.#judgeFiles({ isFresh: true });
    service.judgeLog();
  }

  /** A round: all at once, and then nobody disturbs any more. */
  async #disturb(licence: Licence): Promise<void> {
    const { roundMs, changeMs, signal } = this.#options;
    const end = AbortSignal.any([AbortSignal.timeout(roundMs), ...(signal ? [signal] : [])]);
    this.#fleet.start();
    await Promise.all([
      this.#saboteur.work(licence, end),
      ...this.#publishers.map(async ({ publisher, chance }) => {
        while (!end.aborted) {
          await publisher.change();
          await sleep(changeMs * chance.between(0.5, 1.5), end);
        }
      }),
    ]);
    await this.#fleet.rest();
  }

  /** Holds all promises against what is there now. */
  async #look({ name }: { readonly name: string }): Promise<Footprint> {
    const { service, disk } = this.#stage;
    await this.#settle();
    await this.#judgeFiles({ isFresh: false });
    service.judgeLog();
    await new Promise((resolve) => setTimeout(resolve, this.#options.restMs));
    let footprint = await footprintOf(service.pid, disk.folder);
    // A check behind may just be writing: only what stays open is not given back.
    for (let look = 1; isBusy(footprint) && look < LOOKS_AT_FILES; look++) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      footprint = await footprintOf(service.pid, disk.folder);
    }
    const { memoryMiB, descriptors, openFiles } = footprint;
    if (isBusy(footprint)) {
      this.#findings.breach("descriptors are not given back", `open: ${openFiles.join(", ")}`);
    }
    this.#options.say(
      `${this.#findings.seconds.toFixed(0)} s, ${name}: ${this.#findings.counted("requests")} ` +
        `requests, ${this.#findings.counted("downloads")} downloads, ` +
        `${memoryMiB.toFixed(0)} MiB, ${descriptors} descriptors`,
    );
    return footprint;
  }

  async #settle(): Promise<void> {
    const { messages } = this.#stage;
    const { patienceMs } = this.#options;
    const shared = { ...this.#stage, catalogue: this.#catalogue, findings: this.#findings };
    const sinceMs = performance.now();
    await settle({ ...shared, ids: this.#ids, patienceMs });
    this.#slowestMs = Math.max(this.#slowestMs, performance.now() - sinceMs);
    judgeMessages(messages.slice(this.#messagesJudged), shared);
    this.#messagesJudged = messages.length;
  }

  async #judgeFiles({ isFresh }: { readonly isFresh: boolean }): Promise<void> {
    let left: readonly string[] | undefined;
    // A check behind may just be writing: only what stays is left over.
    for (let look = 0; left === undefined || left.length > 0 && look < LOOKS_AT_FILES; look++) {
      const found = await leftoversIn(this.#stage.disk.folder, { isFresh });
      left = left === undefined ? found : found.filter((file) => left?.includes(file));
      if (left.length > 0) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    for (const file of left) this.#findings.breach("file left over", file);
  }

  #compare({ chapter, middle, last }: Stay): void {
    if (last.memoryMiB > middle.memoryMiB * MEMORY_RATIO) {
      this.#findings.breach(
        "memory is not given back",
        `${chapter}: ${middle.memoryMiB.toFixed(0)} MiB, then ${last.memoryMiB.toFixed(0)} MiB`,
      );
    }
    if (last.descriptors > middle.descriptors + SPARE_DESCRIPTORS) {
      this.#findings.breach(
        "descriptors are not given back",
        `${chapter}: ${middle.descriptors}, then ${last.descriptors}`,
      );
    }
  }
}

/** Whether more is open in the cache folder than a process at rest needs. */
function isBusy({ openFiles }: Footprint): boolean {
  return openFiles.join() !== ".otaflux/lock";
}
