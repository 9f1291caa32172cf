import assert from "node:assert/strict";
import { apiOf } from "../helpers/api.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";

const bytes = firmwareBytes(100);
const PAGE = "https://flash.example";

for (
  const [corsOrigins, origin, allowed, vary] of [
    [[], PAGE, null, null],
    [["*"], PAGE, "*", "Origin"],
    [["*"], undefined, null, "Origin"],
    [[PAGE], PAGE, PAGE, "Origin"],
    [["https://a.example", PAGE], PAGE, PAGE, "Origin"],
    [[PAGE], undefined, null, "Origin"],
    [[PAGE], "https://other.example", null, "Origin"],
    [[PAGE], "null", null, "Origin"],
  ] as const
) {
  Deno.test(`--cors-origin ${corsOrigins} allows ${origin} ${allowed}`, async () => {
    const api = apiOf(bytes, undefined, { corsOrigins });
    const headers = origin === undefined ? {} : { origin };
    for (const target of ["/firmware?device=a", "/version.json?device=a", "/firmware"]) {
      const response = await api.request(target, { headers });
      assert.equal(response.headers.get("access-control-allow-origin"), allowed);
      assert.equal(response.headers.get("vary"), vary);
      await response.body?.cancel();
    }
  });
}
