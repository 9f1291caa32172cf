/**
 * The layouts of all devices in a folder.
 *
 * @module
 */

import { DeviceLayout } from "./layout.ts";

/** What is no layout lies in here. No repository name begins with a dot, so no device is so called. */
export const OWN_FOLDER = ".otaflux";

/** Finds layouts by their devices, and devices by their layouts. */
export class Layouts {
  readonly #directory: string;

  /**
   * Touches no file yet.
   *
   * @param directory The folder.
   */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * The layout of a device, whether it is there or not.
   *
   * @param device A device id.
   * @returns It.
   */
  of(device: string): DeviceLayout {
    const drafts = `${this.#directory}/${OWN_FOLDER}/drafts`;
    return new DeviceLayout({ folder: `${this.#directory}/${device}`, drafts });
  }

  /**
   * All devices that may have a layout, also those below others' names.
   *
   * @returns Their ids, in no order.
   * @throws {Error} The folder, or one in it, cannot be read.
   */
  devices(): AsyncGenerator<string> {
    return this.#below("");
  }

  async *#below(parent: string): AsyncGenerator<string> {
    for await (const { name, isDirectory } of Deno.readDir(`${this.#directory}/${parent}`)) {
      if (!isDirectory || name === OWN_FOLDER) continue;
      const device = parent === "" ? name : `${parent}/${name}`;
      yield device;
      yield* this.#below(device);
    }
  }
}
