import assert from "node:assert/strict";
import { apiOf, firmwareOf } from "../../helpers/api.ts";
import { firmwareBytes } from "../../helpers/firmware_bytes.ts";

const bytes = firmwareBytes(1000);
const annotations = { "dev.otaflux.chip-family": "ESP8266" };

for (
  const [target, headers, running] of [
    ["/version?device=a&current=1.0.0", {}, "1.0.0"],
    ["/version.json?device=a&current=1.0.0", {}, "1.0.0"],
    ["/firmware?device=a&current=1.0.0", {}, "1.0.0"],
    ["/firmware?device=a&current=1.0.0", { range: "bytes=0-9" }, "1.0.0"],
    // Only one of the many requests of a download in pieces is a poll.
    ["/firmware?device=a&current=1.0.0", { range: "bytes=10-19" }, undefined],
    ["/swupdate?device=a&current=1.0.0", {}, "1.0.0"],
    ["/esphome/a/manifest.json?current=1.0.0", {}, "1.0.0"],
    ["/firmware?device=a", { "x-esp32-version": "1.0.1" }, "1.0.1"],
    ["/firmware?device=a", { "x-esp8266-version": "1.0.2" }, "1.0.2"],
    ["/firmware?device=a", { "rauc-system-version": "1.0.3" }, "1.0.3"],
    ["/firmware?device=a", { "x-mgos-fw-version": "esp32 1.0.4 20261124/g0" }, "1.0.4"],
    ["/version?device=a&current=2.0.0", { "x-esp32-version": "1.0.1" }, "2.0.0"],
    ["/version?device=a&current=any+text", {}, "any text"],
    ["/version?device=a", {}, undefined],
  ] as const
) {
  Deno.test(`A request for ${target} ${JSON.stringify(headers)} says that ${running} runs`, async () => {
    const polls: unknown[] = [];
    const api = apiOf(bytes, firmwareOf(bytes, { annotations }), {
      fleet: { polled: (device, versions) => polls.push([device, versions]) },
    });
    const response = await api.request(target, { headers });
    await response.body?.cancel();
    assert.ok(response.status < 400);
    const wanted = running === undefined ? [] : [["a", { running, offered: "1.2.3" }]];
    assert.deepEqual(polls, wanted);
  });
}
