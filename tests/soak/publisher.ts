/**
 * Whoever releases firmware: pushes versions, moves tags to other bytes, and deletes them. Like a
 * pipeline it does not give up before the registry has taken each change, and before the service has
 * acknowledged the event of it.
 *
 * @module
 */

import { dockerImage, orasArtifact } from "../helpers/artifacts.ts";
import type { DockerRegistry } from "../helpers/docker_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { harborEvent } from "../helpers/harbor.ts";
import type { Artifact } from "../helpers/manifest.ts";
import type { Catalogue } from "./catalogue.ts";
import type { Chance } from "./chance.ts";
import type { Disk } from "./disk.ts";
import type { Findings } from "./findings.ts";
import { isWhole, listTags, versionOf } from "./registry_state.ts";
import type { EventRelay } from "./relay.ts";
import type { Service } from "./service.ts";

/** What precedes a device id in its repository's name. */
export const REPOSITORY_PREFIX = "fleet";

/** Options of {@linkcode Publisher}. */
export interface PublisherOptions {
  /** The device ids that it releases firmware for. */
  readonly ids: readonly string[];
  readonly registry: DockerRegistry;
  readonly service: Service;
  /** Knows which of the registry's own events were acknowledged. */
  readonly relay: EventRelay;
  readonly disk: Disk;
  /** Hears of all bytes before the registry does. */
  readonly catalogue: Catalogue;
  readonly findings: Findings;
  readonly chance: Chance;
  /** What webhooks have to know. */
  readonly webhookSecret: string;
}

/** From when to when, by the steady clock. */
export interface Span {
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** How often each is done. */
const DEEDS = { release: 60, move: 20, delete: 15, backport: 5 } as const;

/** Firmware is rather small here: what breaks does not break by size. */
const SMALLEST_BYTES = 4_000;
const LARGEST_BYTES = 300_000;

/** So many of all pushes are images, whose firmware has to be unpacked. */
const IMAGES = 0.1;

/** So many of all pushes are of bytes that other ids have, too: the store keeps them once. */
const TWINS = 0.1;
const TWIN_SEEDS = 20;

/** All other seeds are below it, so that hardly any is drawn twice. */
const SEEDS = 2 ** 31;

/** So many tags of an id at most; more are deleted, so that lists stay short. */
const TAGS_KEPT = 6;

/** How long the registry's own event is waited for before we tell the service ourselves. */
const OWN_EVENT_MS = 3000;

/** Longer than the service takes, unless it is paused; in milliseconds. */
const WEBHOOK_ANSWER_MS = 3000;

/** Between two attempts, in milliseconds. */
const RETRY_MS = 250;

/** Nobody is away for so long, in milliseconds: then it is not sabotage that hinders. */
const GIVE_UP_MS = 120_000;

/** How firmware can be made again, instead of keeping it. */
interface Recipe {
  readonly seed: number;
  readonly size: number;
  readonly isImage: boolean;
}

/** A tag as it was pushed last. */
interface Tagged {
  readonly recipe: Recipe;
  readonly digest: string;
}

/** What an id has in the registry. */
interface Repository {
  readonly tags: Map<string, Tagged>;
  /** By which twins of other ids it was: of bytes that come again an event would tell nothing. */
  readonly twins: Set<number>;
  /** The version that is released next is higher than all before it. */
  releases: number;
  /** When each change of it began and ended. */
  readonly changes: { readonly beganMs: number; endedMs: number }[];
}

/** Releases firmware until it is told to rest. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #repositories = new Map<string, Repository>();
  #events = 0;
  #changes = 0;

  constructor(options: PublisherOptions) {
    this.#options = options;
    for (const id of options.ids) {
      this.#repositories.set(id, {
        ...{ tags: new Map(), twins: new Set<number>() },
        ...{ releases: 0, changes: [] },
      });
    }
  }

  /** Gives each id a first version, of which nobody is told. */
  async begin(): Promise<void> {
    for (const id of this.#options.ids) {
      await this.#push(id, `1.0.${this.#repository(id).releases++}`, this.#nextChance());
    }
  }

  /** Changes one id, and comes back when the service has acknowledged it. */
  async change(): Promise<void> {
    const { ids, findings } = this.#options;
    const chance = this.#nextChance();
    const id = chance.pick(ids);
    const repository = this.#repository(id);
    const newest = newestTag(repository);
    const drawn = chance.weighted(DEEDS);
    const deed = repository.tags.size >= TAGS_KEPT ? "delete" : drawn;
    const change = { beganMs: performance.now(), endedMs: Infinity };
    repository.changes.push(change);
    if (deed === "delete" && repository.tags.size > 1) {
      await this.#delete(id, newest);
    } else if (deed === "move") {
      await this.#push(id, newest, chance);
      findings.count("tags moved");
      await this.#tell(id, newest, "push");
    } else {
      const number = repository.releases++;
      const version = deed === "backport" ? `0.9.${number}` : `1.0.${number}`;
      const tag = chance.is(0.3) ? `v${version}` : version;
      await this.#push(id, tag, chance);
      findings.count("versions pushed");
      await this.#tell(id, tag, "push");
    }
    change.endedMs = performance.now();
  }

  /** Whether an id's firmware was being changed at any time of a span. */
  hasChanged(id: string, { sinceMs, untilMs }: Span): boolean {
    return this.#repositories.get(id)?.changes.some(({ beganMs, endedMs }) =>
      beganMs <= untilMs && endedMs >= sinceMs
    ) ?? false;
  }

  #repository(id: string): Repository {
    const repository = this.#repositories.get(id);
    if (repository === undefined) throw new TypeError(`"${id}" is not ours`);
    return repository;
  }

  /** Each change by itself: what is drawn for it does not depend on how long others took. */
  #nextChance(): Chance {
    return this.#options.chance.fork(`change ${this.#changes++}`);
  }

  async #push(id: string, tag: string, chance: Chance): Promise<void> {
    const { registry, catalogue } = this.#options;
    const recipe = draw(this.#repository(id).twins, chance);
    const artifact = await make(recipe);
    const { digest, blobs } = artifact;
    catalogue.offer(id, {
      ...{ version: versionOf(tag), digest },
      ...{ bytes: bytesOf(recipe), blobs: blobs.keys() },
    });
    await untilDone(async () => {
      await registry.push(repositoryOf(id), tag, artifact);
      if (await isWhole(registry.target(repositoryOf(id)), digest)) return;
      // It would never write it again: it sees that there is a file (2.8.2).
      await Deno.remove(registry.blobPath(digest));
      throw new Error(`Registry has a part of ${digest} only`);
    });
    this.#repository(id).tags.set(tag, { recipe, digest });
    this.#options.findings.did(`pushed ${id}:${tag}, ${digest.slice(0, 15)}`);
  }

  /** Deletes the newest version, with all other names of the same bytes. */
  async #delete(id: string, tag: string): Promise<void> {
    const { registry, findings } = this.#options;
    const { tags } = this.#repository(id);
    const { digest, recipe } = tags.get(tag) ?? {};
    if (digest === undefined || recipe === undefined) return;
    const names = [...tags].filter(([, other]) => other.digest === digest).map(([name]) => name);
    // All of it, and a device would rightly be told that there is none.
    if (names.length === tags.size) return;
    const target = registry.target(repositoryOf(id));
    await untilDone(async () => {
      try {
        await registry.deleteManifest(repositoryOf(id), digest);
      } catch (error) {
        // An attempt without an answer may have done it, or half of it.
        if (!(error instanceof Error && error.message.includes("answered 404"))) throw error;
        const listed = await listTags(target);
        if (!names.some((name) => listed.includes(name))) return;
        for (const name of names) await registry.push(repositoryOf(id), name, await make(recipe));
        throw error;
      }
    });
    for (const name of names) tags.delete(name);
    findings.count("tags deleted", names.length);
    findings.did(`deleted ${id}:${names.join(", ")}, ${digest.slice(0, 15)}`);
    await this.#tell(id, tag, "delete", digest);
  }

  /** Sees to it that the service has acknowledged an event of the change. */
  async #tell(
    id: string,
    tag: string,
    action: "push" | "delete",
    digest = this.#repository(id).tags.get(tag)?.digest ?? "",
  ): Promise<void> {
    const { relay } = this.#options;
    const repository = repositoryOf(id);
    if (
      hearsRegistry(id) && await relay.acknowledged({ action, repository, digest }, OWN_EVENT_MS)
    ) {
      return;
    }
    const type = action === "push" ? "PUSH_ARTIFACT" : "DELETE_ARTIFACT";
    const event = harborEvent({ repository, tag, type, occurAt: 1_763_980_000 + this.#events++ });
    // The same body each time: the service must know the repetition from a new event.
    await untilDone(() => this.#post(JSON.stringify(event)));
  }

  async #post(body: string): Promise<void> {
    const { service, webhookSecret, findings, disk } = this.#options;
    const sinceMs = performance.now();
    const response = await fetch(`${service.origin}/webhooks/harbor`, {
      method: "POST",
      headers: { authorization: `Bearer ${webhookSecret}` },
      body,
      signal: AbortSignal.timeout(WEBHOOK_ANSWER_MS),
    });
    const text = await response.text();
    if (response.status === 200) return findings.count("events acknowledged");
    if (response.status !== 503 || !disk.wasFull({ sinceMs })) {
      findings.breach("refused though it is cached", `webhook: ${response.status} ${text}`);
    }
    throw new Error(`Webhook was answered ${response.status}`);
  }
}

/** Of every other id the registry itself tells, of the rest the publisher, as Harbor does. */
export function hearsRegistry(id: string): boolean {
  return Number(/\d+$/.exec(id)?.[0]) % 2 === 0;
}

/** The repository of a device id. */
export function repositoryOf(id: string): string {
  return `${REPOSITORY_PREFIX}/${id}`;
}

function newestTag({ tags }: Repository): string {
  const numberOf = (tag: string): number => Number(tag.split(".").at(-1));
  const majorOf = (tag: string): number => Number(versionOf(tag).split(".").at(0));
  const [first] = [...tags.keys()].toSorted((a, b) =>
    majorOf(b) - majorOf(a) || numberOf(b) - numberOf(a)
  );
  if (first === undefined) throw new TypeError("A repository always keeps a tag");
  return first;
}

/** Draws what is pushed next to a repository. */
function draw(twins: Set<number>, chance: Chance): Recipe {
  const twin = chance.below(TWIN_SEEDS);
  if (chance.is(TWINS) && !twins.has(twin)) {
    twins.add(twin);
    return { seed: twin, size: SMALLEST_BYTES + twin * 1000, isImage: false };
  }
  return {
    seed: TWIN_SEEDS + chance.below(SEEDS - TWIN_SEEDS),
    size: SMALLEST_BYTES + chance.below(LARGEST_BYTES - SMALLEST_BYTES),
    isImage: chance.is(IMAGES),
  };
}

function bytesOf({ seed, size }: Recipe): Uint8Array<ArrayBuffer> {
  return firmwareBytes(size, seed);
}

async function make(recipe: Recipe): Promise<Artifact> {
  const bytes = bytesOf(recipe);
  return recipe.isImage ? await dockerImage({ "firmware.bin": bytes }) : orasArtifact(bytes);
}

/** Whatever fails, it fails because somebody was killed or paused: it is tried again. */
async function untilDone(work: () => Promise<void>): Promise<void> {
  const sinceMs = performance.now();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() - sinceMs > GIVE_UP_MS) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
