/**
 * A source of firmware that tells what it is asked and what it answers.
 *
 * @module
 */

import { passOn } from "../byte_stream.ts";
import { type Digest, isDigest } from "../digest.ts";
import { isServiceError } from "../errors.ts";
import type { DeliveredManifest, Descriptor } from "../oci.ts";

/** What a check needs of a source; all that the search for firmware asks. */
export interface CheckedSource {
  /** All tags of the device's repository. */
  listTags(device: string): Promise<readonly string[]>;
  /** The digest that a tag points to. */
  peekDigest(device: string, tag: string): Promise<Digest | undefined>;
  /** A manifest or index by tag or digest. */
  fetchManifest(device: string, reference: string): Promise<DeliveredManifest>;
  /** A blob's bytes. */
  openBlob(device: string, blob: Descriptor): Promise<ReadableStream<Uint8Array>>;
}

/** Told what happens. */
export interface SourceWatcher {
  /** The tags are there. */
  listed(tags: readonly string[]): void;
  /** A tag was chosen, and its manifest is asked for. */
  chose(tag: string): void;
  /** The tag that was chosen has no manifest. */
  missed(tag: string): void;
  /** A manifest or index is there, not verified yet. */
  delivered(manifest: DeliveredManifest): void;
  /** A blob begins to come. */
  opened(blob: Descriptor): void;
  /** So many more bytes of it have come. */
  received(bytes: number): void;
}

/** Answers as the source behind it does. */
export class WatchedSource implements CheckedSource {
  readonly #source: CheckedSource;
  readonly #watcher: SourceWatcher;

  /**
   * Asks nothing yet.
   *
   * @param source Is asked.
   * @param watcher Is told.
   */
  constructor(source: CheckedSource, watcher: SourceWatcher) {
    this.#source = source;
    this.#watcher = watcher;
  }

  /**
   * Lists tags.
   *
   * @param device A device id.
   * @returns All.
   * @throws {ServiceError} What the source throws.
   */
  async listTags(device: string): Promise<readonly string[]> {
    const tags = await this.#source.listTags(device);
    this.#watcher.listed(tags);
    return tags;
  }

  /**
   * Looks a tag up.
   *
   * @param device A device id.
   * @param tag A tag.
   * @returns Its digest, where the source says it.
   * @throws {ServiceError} What the source throws.
   */
  peekDigest(device: string, tag: string): Promise<Digest | undefined> {
    return this.#source.peekDigest(device, tag);
  }

  /**
   * Fetches a manifest or an index.
   *
   * @param device A device id.
   * @param reference A tag, which thereby was chosen, or a digest.
   * @returns The document.
   * @throws {ServiceError} What the source throws.
   */
  async fetchManifest(device: string, reference: string): Promise<DeliveredManifest> {
    const isTag = !isDigest(reference);
    if (isTag) this.#watcher.chose(reference);
    try {
      const manifest = await this.#source.fetchManifest(device, reference);
      this.#watcher.delivered(manifest);
      return manifest;
    } catch (error) {
      if (isTag && isServiceError(error, "firmware-unknown")) this.#watcher.missed(reference);
      throw error;
    }
  }

  /**
   * Opens a blob.
   *
   * @param device A device id.
   * @param blob Which.
   * @returns Its bytes.
   * @throws {ServiceError} What the source throws.
   */
  async openBlob(device: string, blob: Descriptor): Promise<ReadableStream<Uint8Array>> {
    const stream = await this.#source.openBlob(device, blob);
    this.#watcher.opened(blob);
    return passOn(stream, async (read) => {
      const outcome = await read;
      if (!outcome.done) this.#watcher.received(outcome.value.length);
      return outcome;
    });
  }
}
