import assert from "node:assert/strict";
import { firmwareUrl } from "../../src/api/links.ts";

for (
  const [device, version, url] of [
    ["garden", "1.2.3", "/firmware?device=garden&version=1.2.3"],
    ["garden/pump", "1.2.3+7", "/firmware?device=garden%2Fpump&version=1.2.3%2B7"],
    // ESPHome would take the rest for a host.
    ["http-probe", "1.0.0", "/firmware?device=%68ttp-probe&version=1.0.0"],
  ] as const
) {
  Deno.test(`firmwareUrl() of ${device} leads back to it`, () => {
    const link = firmwareUrl({ device, selection: {} }, { version });
    assert.equal(link, url);
    const { searchParams } = new URL(link, "http://x");
    assert.deepEqual([searchParams.get("device"), searchParams.get("version")], [device, version]);
  });
}
