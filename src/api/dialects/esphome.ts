/**
 * The manifest that ESPHome's update platform (`update: platform: http_request`) polls, and that
 * ESP Web Tools reads to flash a chip from a browser.
 *
 * @see https://esphome.io/components/update/http_request/
 * @see https://esphome.github.io/esp-web-tools/
 * @module
 */

import type { Firmware, FirmwareReader } from "../../firmware/firmware.ts";
import { CHIP_FAMILY_ANNOTATION } from "../../oci.ts";
import type { Query } from "../../selection.ts";
import { firmwareUrl } from "../links.ts";
import { chipFamilyOf, ESP_IMAGE_HEAD_BYTES } from "./esp_image.ts";

/** Annotation: where in the flash the image belongs, in bytes. */
const OFFSET_ANNOTATION = "dev.otaflux.flash-offset";

/** Where an ESP32's first application is, by ESP-IDF's own partition tables. */
const APPLICATION_OFFSET = 0x10000;

/** What of an annotation is shown: ESPHome keeps it in memory. */
const SUMMARY_LENGTH = 255;

/** A firmware as these clients want it described. */
export interface EsphomeManifest {
  /** What people see. */
  readonly name: string;
  /** ESPHome offers an update where this is not the very text that it runs. */
  readonly version: string;
  /** One for each chip; ESPHome takes the one of its own. */
  readonly builds: readonly EsphomeBuild[];
}

/** The firmware for one chip. */
export interface EsphomeBuild {
  /** Such as `ESP32-C3`. */
  readonly chipFamily: string;
  /** For ESPHome. */
  readonly ota: {
    readonly path: string;
    readonly md5: string;
    readonly summary?: string;
    readonly release_url?: string;
  };
  /** For ESP Web Tools. */
  readonly parts: readonly { readonly path: string; readonly offset: number }[];
}

/**
 * Tells which chip a firmware is for.
 *
 * @param firmware Which.
 * @param open Opens its bytes.
 * @returns What its author says, else what the image itself says.
 * @throws {ServiceError} What `open` throws.
 */
export async function chipFamily(
  { annotations, size }: Firmware,
  open: () => Promise<FirmwareReader>,
): Promise<string | undefined> {
  const annotated = annotations[CHIP_FAMILY_ANNOTATION];
  if (annotated !== undefined) return annotated;
  const reader = await open();
  try {
    reader.seek({ start: 0, end: Math.min(ESP_IMAGE_HEAD_BYTES, size) });
    return chipFamilyOf(await reader.read(ESP_IMAGE_HEAD_BYTES) ?? new Uint8Array());
  } finally {
    reader.close();
  }
}

/**
 * Describes a firmware.
 *
 * @param query Whose it is, and what was asked for.
 * @param chipFamily Which chip it is for.
 * @param firmware Which.
 * @returns The manifest.
 */
export function esphomeManifest(
  query: Query,
  chipFamily: string,
  firmware: Firmware,
): EsphomeManifest {
  const { version, md5, annotations } = firmware;
  const image = (key: string): string | undefined =>
    annotations[`org.opencontainers.image.${key}`]?.slice(0, SUMMARY_LENGTH);
  const path = firmwareUrl(query, firmware);
  const [summary, release] = [image("description"), image("url")];
  return {
    name: image("title") ?? query.device,
    version,
    builds: [{
      chipFamily,
      ota: {
        ...{ path, md5 },
        ...(summary !== undefined && { summary }),
        ...(release !== undefined && { release_url: release }),
      },
      parts: [{ path, offset: flashOffset(annotations[OFFSET_ANNOTATION]) }],
    }],
  };
}

/** In decimal, or in hex with `0x`, as partition tables have it. */
function flashOffset(text: string | undefined): number {
  return text !== undefined && /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text)
    ? Number(text)
    : APPLICATION_OFFSET;
}
