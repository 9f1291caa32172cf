/**
 * A store that keeps nothing, for a look at firmware that is not to be served. Fits the port that
 * the domain asks for (`FirmwareStore`).
 *
 * @module
 */

/** Takes everything and has nothing. */
export class NoStore {
  /** Nothing is kept that would want the layer. */
  readonly keepsLayers = false;
  /** Always 0. */
  readonly bytes = 0;

  /**
   * Begins to take bytes.
   *
   * @returns Lets them go.
   */
  draft(): Promise<NoDraft> {
    return Promise.resolve(new NoDraft());
  }

  /**
   * Has nothing to open.
   *
   * @returns Always undefined.
   */
  open(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /**
   * Knows nothing.
   *
   * @returns Always undefined.
   */
  load(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /**
   * Writes nothing down.
   *
   * @returns At once, that all is well.
   */
  save(): Promise<boolean> {
    return Promise.resolve(true);
  }

  /**
   * Has nothing to remove.
   *
   * @returns At once.
   */
  remove(): Promise<void> {
    return Promise.resolve();
  }
}

/** Takes bytes nowhere. */
export class NoDraft {
  /**
   * Lets bytes go.
   *
   * @returns At once.
   */
  write(): Promise<void> {
    return Promise.resolve();
  }

  /**
   * Keeps nothing.
   *
   * @returns At once.
   */
  commit(): Promise<void> {
    return Promise.resolve();
  }

  /**
   * Has nothing to clear.
   *
   * @returns At once.
   */
  discard(): Promise<void> {
    return Promise.resolve();
  }
}
