/**
 * The chip that a firmware is for, where an image index says it as a platform.
 *
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md
 * @module
 */

import { CHIP_FAMILY_ANNOTATION, type Descriptor } from "../oci.ts";

/** `ESP32` and what follows it, parted by a dash; others have one name only. */
const FAMILY = /^(ESP32)-?([CHPS]\d{1,2})?$|^(ESP8266|RP2040|RP2350|BK72XX|LN882X|RTL87XX)$/;

/**
 * Says what a platform says, in the words of an annotation.
 *
 * @param platform Of an index's entry, such as `{architecture: "esp32", variant: "c3"}`.
 * @returns The annotation; none where the platform is no chip.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const annotation = { "dev.otaflux.chip-family": "ESP32-C3" };
 * assert.deepEqual(chipAnnotation({ architecture: "esp32c3" }), annotation);
 * assert.deepEqual(chipAnnotation({ architecture: "arm64", os: "linux" }), {});
 * ```
 */
export function chipAnnotation(platform: Descriptor["platform"]): Record<string, string> {
  const name = `${platform?.architecture ?? ""}${platform?.variant ?? ""}`.toUpperCase();
  const [, esp32, kind, other] = FAMILY.exec(name) ?? [];
  const family = other ?? (kind === undefined ? esp32 : `${esp32}-${kind}`);
  return family === undefined ? {} : { [CHIP_FAMILY_ANNOTATION]: family };
}
