import assert from "node:assert/strict";
import { ServiceError } from "../../src/errors.ts";
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
  } as const;
  const entry = { firmware, sinceMs: 0, confirmedAtMs: 0, failures: 0, retryAtMs: 0 };
  const refused = { error: new ServiceError("source-refused", "No"), atMs: 0, untilMs: 0 };
  const statuses = [...deviceStatuses({
    // Its place was taken by others while it was checked, and it was read from the store since.
    cached: [["a", entry]],
    refused: [["a", refused], ["b", refused]],
    isCached: (device) => device === "a",
    areSigned: false,
    nowMs: 1000,
  })];
  assert.deepEqual(
    statuses.map(({ device, firmware }) => [device, firmware?.version]),
    [["a", "1.0.0"], ["b", undefined]],
  );
});
