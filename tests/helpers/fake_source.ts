/**
 * A firmware source in memory, a manager on top of it, and streams whose end can be watched.
 *
 * @module
 */

import type { Digest } from "../../src/digest.ts";
import { type ErrorCode, ServiceError } from "../../src/errors.ts";
import type {
  Firmware,
  FirmwareObserver,
  FirmwareSource,
  FirmwareStore,
  VerificationResult,
} from "../../src/firmware/firmware.ts";
import { FirmwareManager, type FirmwareManagerOptions } from "../../src/firmware/manager.ts";
import type { DeliveredManifest, Descriptor } from "../../src/oci.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { type Artifact, describeArtifact, withChildren } from "./manifest.ts";
import type { Gate } from "./registry/gate.ts";
import { bytesOf } from "./stored.ts";

/** One of the questions that are asked: by the domain, or by whoever verifies signatures. */
export type SourceMethod = keyof FirmwareSource | "listReferrers";

/** Answers from what was pushed to it, and records every question. */
export class FakeSource implements FirmwareSource {
  readonly #tags = new Map<string, Map<string, Digest>>();
  readonly #manifests = new Map<string, Artifact>();
  readonly #blobs = new Map<string, Uint8Array>();
  #calls: SourceMethod[] = [];
  #open = 0;
  #peak = 0;

  /** Thrown by every method while it is set. */
  failure: Error | undefined;
  /** Holds every question, after its call was recorded, while it is set. */
  gate: Gate | undefined;
  /** Whether the digest of a tag can be told without its manifest. */
  canPeek = true;

  /** The questions so far, in their order. */
  get calls(): readonly SourceMethod[] {
    return this.#calls;
  }

  /** How many questions there were at once at most. */
  get peak(): number {
    return this.#peak;
  }

  /** Starts {@linkcode calls} anew. */
  forgetCalls(): void {
    this.#calls = [];
  }

  /** Stores an artifact with all below it, and moves a tag to it. */
  push(device: string, tag: string, artifact: Artifact): void {
    for (const part of withChildren(artifact)) {
      this.#manifests.set(part.digest, part);
      for (const [digest, bytes] of part.blobs) this.#blobs.set(digest, bytes);
    }
    const tags = this.#tags.get(device) ?? new Map<string, Digest>();
    this.#tags.set(device, tags.set(tag, artifact.digest as Digest));
  }

  /** Takes a tag off the list; its manifest stays. */
  deleteTag(device: string, tag: string): void {
    this.#tags.get(device)?.delete(tag);
  }

  /** Takes a manifest away; its tags stay on the list, as some registries leave them. */
  deleteManifest(digest: string): void {
    this.#manifests.delete(digest);
  }

  /** Takes a repository away; what had been pushed can be had by digest still. */
  deleteRepository(device: string): void {
    this.#tags.delete(device);
  }

  async listTags(device: string): Promise<readonly string[]> {
    await this.#enter("listTags");
    const tags = this.#tags.get(device);
    if (tags === undefined) throw new ServiceError("firmware-unknown", "No such repository");
    return [...tags.keys()];
  }

  async peekDigest(device: string, tag: string): Promise<Digest | undefined> {
    await this.#enter("peekDigest");
    return this.canPeek ? this.#find(device, tag).digest as Digest : undefined;
  }

  async fetchManifest(device: string, reference: string): Promise<DeliveredManifest> {
    await this.#enter("fetchManifest");
    const { manifest, mediaType, digest } = this.#find(device, reference);
    return { bytes: manifest, mediaType, claimedDigest: digest as Digest };
  }

  async ping(): Promise<void> {
    await this.#enter("ping");
  }

  async listReferrers(_device: string, digest: Digest): Promise<readonly Descriptor[]> {
    await this.#enter("listReferrers");
    return [...this.#manifests.values()].flatMap((artifact) => {
      const { subject, artifactType } = JSON.parse(new TextDecoder().decode(artifact.manifest));
      return subject?.digest === digest
        ? [{ ...describeArtifact(artifact), artifactType } as Descriptor]
        : [];
    });
  }

  async openBlob(_device: string, { digest }: Descriptor): Promise<ReadableStream<Uint8Array>> {
    await this.#enter("openBlob");
    const bytes = this.#blobs.get(digest);
    if (bytes === undefined) throw new ServiceError("artifact-invalid", "No such blob");
    return new WatchedStream(bytes).stream;
  }

  async #enter(method: SourceMethod): Promise<void> {
    this.#calls.push(method);
    this.#peak = Math.max(this.#peak, ++this.#open);
    await this.gate?.pass();
    this.#open--;
    if (this.failure !== undefined) throw this.failure;
  }

  #find(device: string, reference: string): Artifact {
    const digest = this.#tags.get(device)?.get(reference) ?? reference;
    const artifact = this.#manifests.get(digest);
    if (artifact === undefined) throw new ServiceError("firmware-unknown", "No such manifest");
    return artifact;
  }
}

/** How {@linkcode WatchedStream} delivers. */
export interface WatchedOptions {
  /** Sizes of the chunks, used in turn; each at least 1. @default 64 KiB each */
  readonly chunkSizes?: readonly number[];
  /** What happens after the last byte instead of the end. @default the stream ends */
  readonly error?: Error;
}

/** Bytes as a stream that tells how far it was read and whether it was let go of. */
export class WatchedStream {
  /** The stream. */
  readonly stream: ReadableStream<Uint8Array>;
  /** Settles once the reader has cancelled the stream. */
  readonly cancelled: Promise<void>;
  /** How many bytes were asked for. */
  delivered = 0;

  /** @param bytes What it delivers; each chunk is a copy. */
  constructor(bytes: Uint8Array, { chunkSizes = [64 * 1024], error }: WatchedOptions = {}) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.cancelled = promise;
    let turn = 0;
    this.stream = new ReadableStream({
      pull: (controller) => {
        const size = chunkSizes[turn++ % chunkSizes.length] ?? 1;
        const chunk = bytes.slice(this.delivered, this.delivered + size);
        this.delivered += chunk.length;
        if (chunk.length > 0) controller.enqueue(chunk);
        else if (error !== undefined) controller.error(error);
        else controller.close();
      },
      cancel: () => resolve(),
      // Nothing is delivered ahead of the reader, so that `delivered` is what it took.
    }, { highWaterMark: 0 });
  }
}

/** Records what a manager tells of. */
export class Observed implements FirmwareObserver {
  /** Devices, one for each hit. */
  readonly hits: string[] = [];
  /** Devices, one for each miss. */
  readonly misses: string[] = [];
  /** The counts in the order in which they came. */
  readonly entryCounts: number[] = [];
  /** Whether the source answers, each time that it was told. */
  readonly states: boolean[] = [];
  /** Why checks have failed. */
  readonly failures: ErrorCode[] = [];
  /** Devices with what became of a verification, in their order. */
  readonly verifications: string[] = [];

  hit(device: string): void {
    this.hits.push(device);
  }

  miss(device: string): void {
    this.misses.push(device);
  }

  entries(count: number): void {
    this.entryCounts.push(count);
  }

  verified(device: string, result: VerificationResult): void {
    this.verifications.push(`${device} ${result}`);
  }

  sourceUp(isUp: boolean): void {
    this.states.push(isUp);
  }

  checkFailed(code: ErrorCode): void {
    this.failures.push(code);
  }
}

/** How long a {@linkcode ManagerBench} does not ask its source again. */
export const REFRESH_MS = 60_000;

/** How long a {@linkcode ManagerBench} remembers a device that is unknown. */
export const UNKNOWN_MS = 10_000;

/** How long a {@linkcode ManagerBench} holds what was replaced. */
export const HOLD_MS = 90_000;

/** A manager of one device or more, by a clock that stands still. */
export class ManagerBench {
  /** What the manager asks. */
  readonly source = new FakeSource();
  /** Where the manager keeps firmware. */
  readonly store: FirmwareStore;
  /** What the manager told. */
  readonly observed = new Observed();
  /** The subject. */
  readonly manager: FirmwareManager;
  /** Now. */
  nowMs = 1000;
  readonly #device: string;

  /** Makes a manager of ten devices and of firmware up to 1000 bytes. */
  constructor(device: string, options: Partial<FirmwareManagerOptions> = {}) {
    this.#device = device;
    this.store = options.store ?? new MemoryStore({ maxBytes: 1_000_000 });
    this.manager = new FirmwareManager({
      source: this.source,
      store: this.store,
      observer: this.observed,
      cacheSize: 10,
      refreshIntervalMs: REFRESH_MS,
      trackForMs: 24 * 60 * 60 * 1000,
      unknownForMs: UNKNOWN_MS,
      concurrency: 8,
      holdMs: HOLD_MS,
      maxFirmwareBytes: 1000,
      now: () => this.nowMs,
      random: () => 0.5,
      ...options,
    });
  }

  /** Asks for the device's newest firmware. */
  get(): Promise<Firmware> {
    return this.manager.get(this.#device);
  }

  /**
   * Asks as a device does, and waits until the check has settled that was started behind the
   * answer, if one was.
   *
   * @returns The answer.
   */
  async ask(): Promise<Firmware> {
    const answer = await this.get();
    await this.manager.settled(this.#device);
    return answer;
  }

  /** The bytes that the manager has of a firmware. */
  async bytes(firmware: Firmware): Promise<Uint8Array<ArrayBuffer>> {
    return await bytesOf(await this.manager.open(this.#device, firmware));
  }

  /** Lets the answers in the cache become old, and forgets the calls that led to them. */
  expire(): void {
    this.nowMs += REFRESH_MS;
    this.source.forgetCalls();
  }
}
