import assert from "node:assert/strict";
import { chipAnnotation } from "../../src/firmware/chip.ts";

for (
  const [architecture, variant, family] of [
    ["esp32", undefined, "ESP32"],
    ["esp32", "s3", "ESP32-S3"],
    ["esp32-c61", undefined, "ESP32-C61"],
    ["ESP32C6", undefined, "ESP32-C6"],
    ["esp8266", undefined, "ESP8266"],
    ["rp2040", undefined, "RP2040"],
    ["esp8266", "c3", undefined],
    ["arm", "v7", undefined],
    ["amd64", undefined, undefined],
    [undefined, undefined, undefined],
  ] as const
) {
  Deno.test(`chipAnnotation() of ${architecture} ${variant} is ${family}`, () => {
    const wanted = family === undefined ? {} : { "dev.otaflux.chip-family": family };
    assert.deepEqual(chipAnnotation({ os: "none", architecture, variant }), wanted);
  });
}
