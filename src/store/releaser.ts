/**
 * Takes content that has to go away from the layouts that refer to it.
 *
 * @module
 */

import { logger } from "../log.ts";
import type { Turns } from "../turns.ts";
import type { ReleaseOptions } from "./blobs.ts";
import type { Layouts } from "./layouts.ts";
import { contentsOf, type KeptFirmware } from "./record.ts";
import { References } from "./references.ts";

const log = logger("store");

/** Options of {@linkcode Releaser}. */
export interface ReleaserOptions {
  /** Where layouts are. */
  readonly layouts: Layouts;
  /** A layout is written by one at a time. */
  readonly turns: Turns;
  /** Tells whether a content is kept. */
  readonly has: (sha256: string) => boolean;
}

/** Knows who refers to what, once the first content had to go. */
export class Releaser {
  readonly #options: ReleaserOptions;
  #scan: Promise<References> | undefined;
  /** What is known so far; undefined before anything had to go. */
  #references: References | undefined;

  /**
   * Looks at no layout yet.
   *
   * @param options Where they are.
   */
  constructor(options: ReleaserOptions) {
    this.#options = options;
  }

  /**
   * Notes what a device is going to refer to besides. To be called before it does: whoever lets
   * content go meanwhile waits for its turn at this device.
   *
   * @param device A device id.
   * @param contents Their SHA-256, in hex.
   */
  expect(device: string, contents: readonly string[]): void {
    this.#references?.add(device, contents);
  }

  /**
   * Notes what a device refers to, instead of what it has referred to.
   *
   * @param device A device id.
   * @param kept What its index names.
   */
  note(device: string, kept: readonly KeptFirmware[]): void {
    this.#references?.set(device, kept.flatMap(contentsOf));
  }

  /**
   * Takes a content away from all that refer to it, and from nobody else.
   *
   * @param sha256 In hex.
   * @param options Whether it may stay.
   * @throws {ServiceError} `storage-failed` where it may stay, and has to: on a full disk.
   */
  async release(sha256: string, options: ReleaseOptions): Promise<void> {
    const { layouts, turns } = this.#options;
    const references = await (this.#scan ??= this.#findReferences().catch((error) => {
      this.#scan = undefined;
      throw error;
    }));
    for (const device of references.devicesOf(sha256)) {
      await turns.take(device, async () => {
        const layout = layouts.of(device);
        const kept = await layout.read();
        // Without its layer a layout would name what is not there.
        const rest = kept.filter((one) => !contentsOf(one).includes(sha256));
        if (rest.length < kept.length) await this.#shrink(device, rest, options);
        await layout.remove(`sha256:${sha256}`);
        this.note(device, rest);
      });
    }
  }

  async #shrink(
    device: string,
    rest: readonly KeptFirmware[],
    { mayStay }: ReleaseOptions,
  ): Promise<void> {
    const layout = this.#options.layouts.of(device);
    try {
      await layout.rewrite(rest);
    } catch (error) {
      // On a full disk, too, an index must not name what is damaged; but what is only too much stays
      // for now, rather than that the device loses all that it has.
      if (mayStay) throw error;
      log.warn("Cannot write what is left of a device", { device, reason: String(error) });
      await layout.rewrite([]);
    }
  }

  /**
   * Looks through all layouts, once in a process, when the first content has to go: a start has
   * better things to do. From its beginning on all that write note what they do.
   */
  async #findReferences(): Promise<References> {
    const { layouts, turns, has } = this.#options;
    const references = this.#references = new References();
    for await (const device of layouts.devices()) {
      await turns.take(device, async () => {
        const layout = layouts.of(device);
        const kept = await layout.read();
        // Also what no index names: a process that was killed may have left it.
        const linked = (await layout.linked()).filter(has);
        references.set(device, [...kept.flatMap(contentsOf), ...linked]);
      });
    }
    return references;
  }
}
