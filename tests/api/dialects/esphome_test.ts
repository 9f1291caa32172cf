import assert from "node:assert/strict";
import { MemoryReader } from "../../../src/store/memory.ts";
import { apiOf, firmwareOf } from "../../helpers/api.ts";
import { espImage } from "../../helpers/esp_image.ts";
import { firmwareBytes } from "../../helpers/firmware_bytes.ts";

const IMAGE = "org.opencontainers.image.";
const TARGET = "/esphome/garden/pump/manifest.json";

Deno.test("ESPHome reads the chip from the image itself, and the rest from annotations", async () => {
  const bytes = espImage({ chip: 5 });
  const firmware = firmwareOf(bytes, {
    annotations: {
      [`${IMAGE}title`]: "Garden pump",
      [`${IMAGE}description`]: `Runs dry no more. ${"x".repeat(500)}`,
      [`${IMAGE}url`]: "https://example.com/1.2.3",
    },
  });
  const response = await apiOf(bytes, firmware).request(TARGET);
  assert.equal(response.headers.get("content-type"), "application/json");
  const body = await response.text();
  const path = "/firmware?device=garden%2Fpump&version=1.2.3";
  assert.deepEqual(JSON.parse(body), {
    name: "Garden pump",
    version: "1.2.3",
    builds: [{
      chipFamily: "ESP32-C3",
      ota: {
        path,
        md5: firmware.md5,
        summary: `Runs dry no more. ${"x".repeat(500)}`.slice(0, 255),
        release_url: "https://example.com/1.2.3",
      },
      parts: [{ path, offset: 65536 }],
    }],
  });
});

Deno.test("ESPHome hears of the chip and the place in the flash that an author says", async () => {
  const bytes = firmwareBytes(100);
  for (const [text, offset] of [["0x0", 0], ["4096", 4096], ["far", 65536]] as const) {
    const annotations = {
      "dev.otaflux.chip-family": "ESP8266",
      "dev.otaflux.flash-offset": text,
    };
    const response = await apiOf(bytes, firmwareOf(bytes, { annotations })).request(TARGET);
    const { name, builds } = await response.json();
    assert.equal(name, "garden/pump");
    assert.equal(builds[0].chipFamily, "ESP8266");
    assert.deepEqual(Object.keys(builds[0].ota), ["path", "md5"]);
    assert.equal(builds[0].parts[0].offset, offset);
  }
});

Deno.test("ESPHome's manifest leaves no file open", async () => {
  let open = 0;
  class CountingReader extends MemoryReader {
    override close(): void {
      open--;
    }
  }
  const bytes = espImage({ chip: 5 });
  const firmware = firmwareOf(bytes);
  const api = apiOf(bytes, firmware, {
    manager: {
      get: () => Promise.resolve(firmware),
      getAnnounced: () => Promise.resolve(firmware),
      open: () => {
        open++;
        return Promise.resolve(new CountingReader(bytes));
      },
      ageSeconds: () => undefined,
      isReady: () => true,
    },
  });
  assert.equal((await api.request(TARGET)).status, 200);
  assert.equal(open, 0);
});

for (
  const [what, bytes] of [
    ["is none for a chip", firmwareBytes(100)],
    ["is for an ESP8266, which begins alike", espImage({ chip: 0, mark: 0 })],
    ["is for a chip that nobody knows", espImage({ chip: 999 })],
    ["is short", espImage({ chip: 5 }).slice(0, 35)],
  ] as const
) {
  Deno.test(`ESPHome gets 404 where the firmware ${what}`, async () => {
    const response = await apiOf(bytes).request(TARGET);
    assert.equal(response.status, 404);
    const sentence = "Firmware of device 'garden/pump' does not say which chip it is for\n\n";
    assert.equal(await response.text(), sentence);
  });
}
