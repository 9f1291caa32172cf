import assert from "node:assert/strict";
import { apiOf, firmwareOf } from "../../helpers/api.ts";
import { firmwareBytes } from "../../helpers/firmware_bytes.ts";

const bytes = firmwareBytes(1000);
const firmware = firmwareOf(bytes);
const api = apiOf(bytes, firmware);

for (
  const [version, status] of [
    ["esp32 1.2.3 20261124-120000/gabcdef", 304],
    ["esp32 1.2.2 20261124-120000/gabcdef", 200],
    ["esp32 1.2.3", 304],
    ["1.2.3", 200],
    ["-", 200],
    ["", 200],
  ] as const
) {
  Deno.test(`Mongoose OS that says "${version}" is answered ${status}`, async () => {
    const response = await api.request("/firmware?device=a", {
      headers: { "X-MGOS-Device-ID": "a 0011223344FF", "X-MGOS-FW-Version": version },
    });
    assert.equal(response.status, status);
    assert.equal(response.headers.get("etag"), `"${firmware.sha256}"`);
    assert.deepEqual(await response.bytes(), status === 200 ? bytes : new Uint8Array());
  });
}
