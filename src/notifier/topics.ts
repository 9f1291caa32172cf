/**
 * Which topic is whose.
 *
 * @see https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html#_Toc3901241
 * @module
 */

import { isRepositoryName } from "../repository.ts";

/**
 * The topics below a prefix: one for each device, and a few that begin with `$`, as no device does.
 *
 * A topic must not hold `+`, `#` or NUL. Device ids cannot: they are repository names of lower-case
 * letters, digits and `. _ - /`. The manager lets nothing else through (`repositoryOf` in
 * `src/repository.ts`), and {@linkcode Topics.deviceOf} takes nothing else from the broker. That
 * the prefix holds none is seen to when flags are read.
 */
export class Topics {
  readonly #prefix: string;

  /**
   * Begins all topics alike.
   *
   * @param prefix What precedes the slash; empty makes topics that begin with the slash, as the Rust
   * OtaFlux does.
   */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Where it stands whether the service is there: `online` or `offline`. */
  get state(): string {
    return `${this.#prefix}/$state`;
  }

  /** The filter of all topics below the prefix: of nested ids, too. */
  get all(): string {
    return `${this.#prefix}/#`;
  }

  /**
   * Where a device is told of its firmware.
   *
   * @param device A device id.
   * @returns The topic.
   */
  of(device: string): string {
    return `${this.#prefix}/${device}`;
  }

  /**
   * Where it stands which version a device runs.
   *
   * @param device A device id.
   * @returns The topic.
   */
  installedOf(device: string): string {
    return `${this.#prefix}/$installed/${device}`;
  }

  /**
   * The device that a topic belongs to.
   *
   * @param topic Any topic.
   * @returns A device id; undefined where it belongs to none.
   */
  deviceOf(topic: string): string | undefined {
    const start = `${this.#prefix}/`;
    const device = topic.slice(start.length);
    return topic.startsWith(start) && isRepositoryName(device) ? device : undefined;
  }
}
