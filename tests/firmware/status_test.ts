import assert from "node:assert/strict";
import { ServiceError } from "../../src/errors.ts";
import { deviceStatuses } from "../../src/firmware/status.ts";
import { entryOf } from "../helpers/known.ts";

Deno.test("deviceStatuses() tells once of a device that is refused although it has firmware", () => {
  const refused = { error: new ServiceError("source-refused", "No"), atMs: 0, untilMs: 0 };
  const statuses = [...deviceStatuses({
    // Its place was taken by others while it was checked, and it was read from the store since.
    cached: [["a", [entryOf("1.0.0")]]],
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
