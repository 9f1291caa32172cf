import assert from "node:assert/strict";
import { ServiceError } from "../../../src/errors.ts";
import { apiOf, firmwareOf } from "../../helpers/api.ts";
import { firmwareBytes } from "../../helpers/firmware_bytes.ts";

const bytes = firmwareBytes(1000);
const firmware = firmwareOf(bytes, { md5: "d41d8cd98f00b204e9800998ecf8427e" });
const api = apiOf(bytes, firmware);

Deno.test("SWUpdate is sent to a firmware that it does not run", async () => {
  for (const running of ["", "&current=1.2.2", "&current=9.0.0"]) {
    const response = await api.request(`/swupdate?device=a%2Fb${running}`);
    assert.equal(response.status, 302);
    assert.equal(response.headers.get("location"), "/firmware?device=a%2Fb&version=1.2.3");
    assert.equal(response.headers.get("content-md5"), "1B2M2Y8AsgTpgAmY7PhCfg==");
  }
});

Deno.test("SWUpdate gets 404 where it runs the firmware already", async () => {
  const response = await api.request("/swupdate?device=a&current=1.2.3");
  assert.equal(response.status, 404);
  assert.equal(await response.text(), "Firmware 1.2.3 is there already\n\n");
});

for (
  const [code, status] of [
    ["firmware-unknown", 404],
    ["device-invalid", 400],
    ["source-timeout", 503],
    ["source-unavailable", 503],
    ["artifact-invalid", 503],
  ] as const
) {
  Deno.test(`SWUpdate gets ${status} for ${code}`, async () => {
    const failing = apiOf(bytes, firmware, {
      manager: {
        get: () => Promise.reject(new ServiceError(code, "Cannot", { retryAfterSeconds: 7 })),
        getAnnounced: () => Promise.reject(new Error()),
        open: () => Promise.reject(new Error()),
        ageSeconds: () => undefined,
        isReady: () => true,
      },
    });
    const response = await failing.request("/swupdate?device=a");
    assert.equal(response.status, status);
    assert.equal(response.headers.get("retry-after"), status === 503 ? "7" : null);
    assert.equal(await response.text(), "Cannot\n\n");
  });
}
