/**
 * What is known of firmware, for those who take it down and look it up.
 *
 * @module
 */

import { KnownFirmware, type KnownFirmwareOptions } from "../../src/firmware/known.ts";
import { QueryKeys } from "../../src/firmware/query_keys.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import { Observed } from "./fake_source.ts";

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
