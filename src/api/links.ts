/**
 * Addresses that devices are sent to.
 *
 * @module
 */

import type { FirmwareName } from "../firmware/firmware.ts";
import { formatSelection, partOf, type Query } from "../selection.ts";

/**
 * Where a firmware's bytes are. ESPHome takes an address with `http` anywhere in it for one with a
 * host of its own, so a device that is called like this is spelt otherwise.
 *
 * @param query Whose firmware, for which hardware, and which file.
 * @param firmware Which.
 * @returns A path with a query, from the root on.
 */
export function firmwareUrl(
  { device, selection }: Query,
  { version }: Pick<FirmwareName, "version">,
): string {
  const asked = new URLSearchParams({ device }).toString();
  return `/firmware?${asked}&${formatSelection({ ...partOf(selection), version })}`.replaceAll(
    "http",
    "%68ttp",
  );
}
