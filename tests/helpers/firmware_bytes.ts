/**
 * Firmware that never was, and its checksum by the book.
 *
 * @module
 */

import type { Bytes } from "./manifest.ts";

/** First byte of every ESP32 and ESP8266 application image. */
const ESP_IMAGE_MAGIC = 0xe9;

/**
 * Makes `size` bytes that depend on `seed` alone and that nobody takes for an archive: they begin
 * with the magic byte of an ESP32 image.
 */
export function firmwareBytes(size: number, seed = 1): Bytes {
  const words = new Uint32Array(Math.ceil(size / 4));
  // xorshift32 stands still on 0, so the seed is spread and made odd.
  let state = (Math.imul(seed, 0x9e3779b9) | 1) >>> 0;
  for (let at = 0; at < words.length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[at] = state;
  }
  const bytes = new Uint8Array(words.buffer, 0, size);
  if (size > 0) bytes[0] = ESP_IMAGE_MAGIC;
  return bytes;
}

/**
 * Computes CRC-32/IEEE from its definition, to hold other implementations against.
 *
 * @see https://reveng.sourceforge.io/crc-catalogue/17plus.htm#crc.cat.crc-32-iso-hdlc
 */
export function crc32Reference(bytes: Uint8Array): number {
  let register = 0xffffffff;
  for (const byte of bytes) {
    register = (register >>> 8) ^ (CRC_TABLE[(register ^ byte) & 0xff] ?? 0);
  }
  return (register ^ 0xffffffff) >>> 0;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) {
    remainder = (remainder >>> 1) ^ (remainder & 1 ? 0xedb88320 : 0);
  }
  return remainder;
});
