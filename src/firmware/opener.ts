/**
 * Opens the bytes of firmware, which the store may have let go of: then they are fetched again.
 *
 * @module
 */

import { ServiceError } from "../errors.ts";
import { logger } from "../log.ts";
import { deviceOfKey, type Question } from "../selection.ts";
import type { FirmwareChecks } from "./checks.ts";
import type { Firmware, FirmwareReader, FirmwareStore } from "./firmware.ts";
import type { QueryKeys } from "./query_keys.ts";
import type { FirmwareStatus } from "./status.ts";

const log = logger("firmware");

/** Options of {@linkcode FirmwareOpener}. */
export interface FirmwareOpenerOptions {
  /** Gives the key under which is fetched. */
  readonly keys: QueryKeys;
  /** Where the bytes are. */
  readonly store: Pick<FirmwareStore, "open">;
  /** Fetches what is not there. */
  readonly checks: Pick<FirmwareChecks, "fetch">;
  /** A steady clock in milliseconds. */
  readonly now: () => number;
}

/** Opens firmware, and counts how often that took more than to open it. */
export class FirmwareOpener {
  readonly #options: FirmwareOpenerOptions;
  #fetchedAgain = 0;
  #lastFetchMs: number | undefined;

  /**
   * Has opened nothing yet.
   *
   * @param options From where.
   */
  constructor(options: FirmwareOpenerOptions) {
    this.#options = options;
  }

  /**
   * The bytes of a firmware.
   *
   * @param question Who has asked, and for what.
   * @param firmware What was given for it.
   * @returns Its bytes, to be closed.
   * @throws {ServiceError} With any code.
   */
  async open(question: Question, firmware: Firmware): Promise<FirmwareReader> {
    const { keys, store, checks, now } = this.#options;
    const reader = await store.open(firmware.sha256);
    if (reader !== undefined) return reader;
    const key = keys.of(question);
    log.info("Firmware is not in the store any more, fetching it again", {
      device: deviceOfKey(key),
      version: firmware.version,
    });
    this.#fetchedAgain++;
    this.#lastFetchMs = now();
    const { sha256 } = await checks.fetch(key, firmware);
    const fetched = await store.open(sha256);
    if (fetched !== undefined) return fetched;
    throw new ServiceError("storage-failed", "Firmware does not stay in the store");
  }

  /**
   * How often firmware was fetched again.
   *
   * @param nowMs Now, by the same clock.
   * @returns How often, and how long ago the last time was.
   */
  fetchedAgain(nowMs: number): FirmwareStatus["fetchedAgain"] {
    const lastMs = this.#lastFetchMs;
    return {
      count: this.#fetchedAgain,
      lastAgoMs: lastMs === undefined ? undefined : nowMs - lastMs,
    };
  }
}
