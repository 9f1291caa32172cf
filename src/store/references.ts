/**
 * Which devices refer to which content.
 *
 * @module
 */

/** Kept in memory, so that nobody has to look through all devices for one content. */
export class References {
  readonly #devices = new Map<string, Set<string>>();
  readonly #contents = new Map<string, ReadonlySet<string>>();

  /**
   * Tells who refers to a content.
   *
   * @param sha256 In hex.
   * @returns Devices, in no order.
   */
  devicesOf(sha256: string): readonly string[] {
    return [...this.#devices.get(sha256) ?? []];
  }

  /**
   * Notes what a device refers to, instead of what it has referred to.
   *
   * @param device A device id.
   * @param contents Their SHA-256, in hex.
   */
  set(device: string, contents: Iterable<string>): void {
    for (const sha256 of this.#contents.get(device) ?? []) this.#drop(device, sha256);
    const next = new Set(contents);
    if (next.size === 0) this.#contents.delete(device);
    else this.#contents.set(device, next);
    for (const sha256 of next) this.#note(device, sha256);
  }

  /**
   * Notes what a device is going to refer to besides.
   *
   * @param device A device id.
   * @param contents Their SHA-256, in hex.
   */
  add(device: string, contents: Iterable<string>): void {
    this.set(device, [...this.#contents.get(device) ?? [], ...contents]);
  }

  #note(device: string, sha256: string): void {
    const devices = this.#devices.get(sha256);
    if (devices === undefined) this.#devices.set(sha256, new Set([device]));
    else devices.add(device);
  }

  #drop(device: string, sha256: string): void {
    const devices = this.#devices.get(sha256);
    devices?.delete(device);
    if (devices?.size === 0) this.#devices.delete(sha256);
  }
}
