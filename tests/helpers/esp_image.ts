/**
 * The beginning of an application as ESP-IDF builds it.
 *
 * @module
 */

/** Makes an image of 256 bytes for a chip by its number (`esp_chip_id_t`). */
export function espImage(
  { chip, mark = 0xabcd5432 }: { readonly chip: number; readonly mark?: number },
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(256);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 0xe9);
  view.setUint16(12, chip, true);
  view.setUint32(32, mark, true);
  return bytes;
}
