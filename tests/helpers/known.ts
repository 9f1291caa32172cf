/**
 * What is known of firmware, for those who take it down and look it up.
 *
 * @module
 */

import type { CacheEntry } from "../../src/firmware/cache.ts";
import { KnownFirmware, type KnownFirmwareOptions } from "../../src/firmware/known.ts";
import { QueryKeys } from "../../src/firmware/query_keys.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { recordOf } from "./disk.ts";
import { Observed } from "./fake_source.ts";
import { firmwareBytes } from "./firmware_bytes.ts";

/** Knows nothing of ten devices, by a clock that stands still, and tells nobody. */
export function knownFirmware(options: Partial<KnownFirmwareOptions> = {}): KnownFirmware {
  return new KnownFirmware({
    keys: new QueryKeys({}),
    store: new MemoryStore({ maxBytes: 1000 }),
    observer: new Observed(),
    cacheSize: 10,
    holdMs: 5000,
    unknownForMs: 10_000,
    onDrop: () => {},
    now: () => 1000,
    random: () => 1,
    ...options,
  });
}

/** What is kept of a query that was answered with a version, and was just confirmed. */
export function entryOf(version: string): CacheEntry {
  const { firmware } = recordOf(firmwareBytes(1), version);
  return { firmware, sinceMs: 0, confirmedAtMs: 0, failures: 0, retryAtMs: 0 };
}
