/**
 * What is kept, and where.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { describeError } from "../errors.ts";
import { DowngradeGuard } from "../firmware/downgrade.ts";
import type { FirmwareStore } from "../firmware/firmware.ts";
import { logger } from "../log.ts";
import type { StoreSeries } from "../metrics/store_series.ts";
import { formatSelection } from "../selection.ts";
import { DiskStore } from "../store/disk.ts";
import { OWN_FOLDER } from "../store/layouts.ts";
import { MemoryStore } from "../store/memory.ts";
import { VersionFiles, VersionMemory } from "../store/versions.ts";
import { CannotStart } from "./cannot_start.ts";

const log = logger("main");

/**
 * Where something is kept beside firmware.
 *
 * @param cacheDirectory The cache folder, if there is one.
 * @param name What is kept.
 * @returns A folder in it that no device's name leads to; undefined for memory.
 */
export function ownFolder(cacheDirectory: string | undefined, name: string): string | undefined {
  return cacheDirectory && `${cacheDirectory}/${OWN_FOLDER}/${name}`;
}

/**
 * Opens what keeps firmware: a folder, where there is one, or memory.
 *
 * @param config Which folder, and how much.
 * @param series Is told of what has to go.
 * @returns The store.
 * @throws {CannotStart} The folder cannot be used.
 */
export async function createStore(
  { cacheDirectory: directory, cacheMaxBytes: maxBytes, selection }: Config,
  series: Pick<StoreSeries, "evicted">,
): Promise<FirmwareStore> {
  const options = { maxBytes, onEviction: () => series.evicted() };
  if (directory === undefined) return new MemoryStore(options);
  try {
    const defaultSelection = formatSelection(selection);
    return await DiskStore.open({ directory, defaultSelection, ...options });
  } catch (error) {
    throw new CannotStart(`${describeError(error)}; see --cache-dir`);
  }
}

/**
 * Makes what refuses lower versions, where that is wanted.
 *
 * @param config Whether it is, and where versions are noted.
 * @returns The guard, if any.
 */
export function createGuard({ noDowngrade, cacheDirectory }: Config): DowngradeGuard | undefined {
  if (!noDowngrade) return undefined;
  const folder = ownFolder(cacheDirectory, "highest");
  if (folder !== undefined) return new DowngradeGuard(new VersionFiles(folder));
  log.warn("Without a cache folder the highest versions are forgotten at the end of this process");
  return new DowngradeGuard(new VersionMemory());
}
