/**
 * Addresses that devices are sent to.
 *
 * @module
 */

import type { FirmwareName } from "../firmware/firmware.ts";

/**
 * Where a firmware's bytes are. ESPHome takes an address with `http` anywhere in it for one with a
 * host of its own, so a device that is called like this is spelt otherwise.
 *
 * @param device Whose firmware.
 * @param firmware Which.
 * @returns A path with a query, from the root on.
 */
export function firmwareUrl(device: string, { version }: Pick<FirmwareName, "version">): string {
  const query = new URLSearchParams({ device, version });
  return `/firmware?${query}`.replaceAll("http", "%68ttp");
}
