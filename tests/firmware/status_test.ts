import assert from "node:assert/strict";
import { ServiceError } from "../../src/errors.ts";
import type { CacheEntry } from "../../src/firmware/cache.ts";
import type { Firmware } from "../../src/firmware/firmware.ts";
import { deviceStatuses } from "../../src/firmware/status.ts";

Deno.test("deviceStatuses() tells once of a device that is refused although it has firmware", () => {
  const firmware = {
    tag: "1.0.0",
    version: "1.0.0",
    digest: "sha256:0",
    size: 0,
    crc32: 0,
    sha256: "",
    md5: "",
    modifiedAt: new Date(0),
    annotations: {},
    files: [],
  } as const;
  const entry = { firmware, sinceMs: 0, confirmedAtMs: 0, failures: 0, retryAtMs: 0 };
  const refused = { error: new ServiceError("source-refused", "No"), atMs: 0, untilMs: 0 };
  const statuses = [...deviceStatuses({
    // Its place was taken by others while it was checked, and it was read from the store since.
    cached: [["a", [entry]]],
    refused: [["a", refused], ["b?channel=beta", refused], ["b", refused]],
    areSigned: false,
    nowMs: 1000,
  })];
  assert.deepEqual(
    statuses.map(({ device, firmware }) => [device, firmware?.version]),
    [["a", "1.0.0"], ["b", undefined]],
  );
});

Deno.test("deviceStatuses() tells of what a device asked for last, and of what fails besides", () => {
  const firmwareOf = (version: string): Firmware => ({
    ...{ tag: version, version, digest: "sha256:0", size: 0, crc32: 0, sha256: "", md5: "" },
    ...{ modifiedAt: new Date(0), annotations: {}, files: [] },
  });
  const entryOf = (version: string): CacheEntry => ({
    ...{ firmware: firmwareOf(version), sinceMs: 0, confirmedAtMs: 0, failures: 0, retryAtMs: 0 },
  });
  const error = new ServiceError("source-refused", "No");
  const failing = { ...entryOf("1.0.0"), failures: 1, failure: { error, atMs: 400 } };
  const [status] = deviceStatuses({
    ...{ cached: [["a", [failing, entryOf("2.0.0")]]], refused: [] },
    ...{ areSigned: false, nowMs: 1000 },
  });
  assert.deepEqual(
    [status?.firmware?.version, status?.failure?.code, status?.failure?.agoMs],
    ["2.0.0", "source-refused", 600],
  );
});
