import assert from "node:assert/strict";
import {
  Allowance,
  ALLOWANCE_PERIOD_MS,
  NEW_SELECTIONS_LIMIT,
} from "../../src/firmware/allowance.ts";
import { ServiceError } from "../../src/errors.ts";

Deno.test("Allowance.take() lets so many pass in a period, for each device", () => {
  let nowMs = 5;
  const allowance = new Allowance(() => nowMs);
  for (let count = 0; count < NEW_SELECTIONS_LIMIT; count++) allowance.take("a");
  nowMs += ALLOWANCE_PERIOD_MS - 1500;
  const isRefusal = (error: unknown): boolean =>
    error instanceof ServiceError && error.code === "firmware-unavailable" &&
    error.retryAfterSeconds === 2;
  assert.throws(() => allowance.take("a"), isRefusal);
  allowance.take("b");
  nowMs += 1499;
  assert.throws(() => allowance.take("a"), { code: "firmware-unavailable" });
  nowMs += 1;
  allowance.take("a");
});
