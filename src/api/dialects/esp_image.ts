/**
 * What an ESP32 image says of the chip that it is for.
 *
 * @see https://docs.espressif.com/projects/esptool/en/latest/esp32/advanced-topics/firmware-image-format.html
 * @module
 */

/** So many bytes tell: the image's header, the first segment's, and the application's mark. */
export const ESP_IMAGE_HEAD_BYTES = 36;

const IMAGE_MAGIC = 0xe9;

/** Where the number of the chip is, in two bytes. */
const CHIP_OFFSET = 12;

/** The first word of `esp_app_desc_t`. An ESP8266's image begins alike, but has none. */
const APPLICATION_OFFSET = 32;
const APPLICATION_MAGIC = 0xabcd5432;

/** `esp_chip_id_t`, with the names that ESPHome and ESP Web Tools have for them. */
const CHIP_FAMILIES: Readonly<Record<number, string>> = {
  0: "ESP32",
  2: "ESP32-S2",
  5: "ESP32-C3",
  9: "ESP32-S3",
  12: "ESP32-C2",
  13: "ESP32-C6",
  16: "ESP32-H2",
  18: "ESP32-P4",
  20: "ESP32-C61",
  23: "ESP32-C5",
};

/**
 * Reads the chip's family.
 *
 * @param head The first {@linkcode ESP_IMAGE_HEAD_BYTES} bytes of a firmware.
 * @returns For example `ESP32-C3`; undefined where it is no such image.
 */
export function chipFamilyOf(head: Uint8Array): string | undefined {
  if (head.length < ESP_IMAGE_HEAD_BYTES || head[0] !== IMAGE_MAGIC) return undefined;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  return view.getUint32(APPLICATION_OFFSET, true) === APPLICATION_MAGIC
    ? CHIP_FAMILIES[view.getUint16(CHIP_OFFSET, true)]
    : undefined;
}
