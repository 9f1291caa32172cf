import assert from "node:assert/strict";
import { apiOf, firmwareOf } from "../../helpers/api.ts";
import { firmwareBytes } from "../../helpers/firmware_bytes.ts";

const bytes = firmwareBytes(1000);
const firmware = firmwareOf(bytes);
const api = apiOf(bytes, firmware);

for (const processor of ["ESP32", "ESP8266"]) {
  const ask = (said: Record<string, string>): Promise<Response> => {
    const headers = Object.entries({ mode: "sketch", ...said })
      .map(([name, value]): [string, string] => [`x-${processor}-${name}`, value]);
    return Promise.resolve(api.request("/firmware?device=a", { headers }));
  };

  Deno.test(`${processor}'s HTTPUpdate gets the firmware with its MD5`, async () => {
    const response = await ask({
      "free-space": "1000",
      version: "1.2.2",
      "sketch-md5": "0".repeat(32),
    });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("x-md5"), firmware.md5);
    assert.deepEqual(await response.bytes(), bytes);
  });

  for (
    const said of [{ version: "1.2.3" }, { "sketch-md5": firmware.md5 }, {
      "sketch-md5": firmware.md5.toUpperCase(),
      version: "9.9.9",
    }]
  ) {
    Deno.test(`${processor}'s HTTPUpdate with ${JSON.stringify(said)} hears that it is up to date`, async () => {
      const response = await ask(said);
      assert.deepEqual([response.status, response.body], [304, null]);
      assert.equal(response.headers.get("etag"), `"${firmware.sha256}"`);
    });
  }

  Deno.test(`${processor}'s HTTPUpdate is refused what does not fit, unless it says nonsense`, async () => {
    const refused = await ask({ "free-space": "999" });
    assert.equal(refused.status, 413);
    const sentence = "Firmware has 1000 bytes, the device has room for 999\n\n";
    assert.equal(await refused.text(), sentence);
    for (const free of ["1000", "-1", "much", ""]) {
      const response = await ask({ "free-space": free });
      assert.equal(response.status, 200, free);
      await response.body?.cancel();
    }
  });

  Deno.test(`${processor}'s HTTPUpdate that asks for the version hears it in the head`, async () => {
    const response = await ask({ mode: "version" });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("x-version"), "1.2.3");
    assert.equal(response.headers.get("x-md5"), firmware.md5);
    assert.equal(await response.text(), "1.2.3");
  });

  Deno.test(`${processor}'s HTTPUpdate that asks for a file system gets no program`, async () => {
    const response = await ask({ mode: "spiffs" });
    assert.equal(response.status, 404);
    assert.equal(await response.text(), "There is no image for the mode 'spiffs'\n\n");
  });
}

Deno.test("Who is no HTTPUpdate hears no MD5", async () => {
  const response = await api.request("/firmware?device=a");
  assert.equal(response.headers.get("x-md5"), null);
  await response.body?.cancel();
});
