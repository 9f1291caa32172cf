import assert from "node:assert/strict";
import type { Firmware } from "../../src/firmware/firmware.ts";
import { modificationDate } from "../../src/firmware/modification.ts";

const TODAY = new Date("2026-11-24T12:00:00.789Z");
const NOW = "2026-11-24T12:00:00.000Z";

for (
  const [created, before, date] of [
    ["2026-11-01T10:00:00Z", undefined, "2026-11-01T10:00:00.000Z"],
    ["2026-11-01T10:00:00.987654321+01:00", undefined, "2026-11-01T09:00:00.000Z"],
    [undefined, undefined, NOW],
    ["yesterday", undefined, NOW],
    ["2026-11-01", undefined, NOW],
    ["2026-13-41T10:00:00Z", undefined, NOW],
    // Ahead of us: HTTP knows no date of modification behind that of the answer.
    ["2026-11-24T12:00:01Z", undefined, NOW],
    ["2026-11-02T00:00:00Z", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00.000Z"],
    // A step back is a change, too, and so is another build of the same date.
    ["2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", NOW],
    ["2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z", NOW],
    ["2026-11-01T00:00:00.9Z", "2026-11-01T00:00:00Z", NOW],
    [undefined, NOW, "2026-11-24T12:00:01.000Z"],
    [undefined, "2026-11-24T12:00:01Z", "2026-11-24T12:00:02.000Z"],
    // Builds that are to be the same each time: the date says nothing.
    ["1970-01-01T00:00:00Z", undefined, NOW],
    ["1980-01-01T00:00:00Z", "2026-11-01T00:00:00Z", NOW],
    // Found while the clock was not set: it came before whatever has a date.
    ["2026-11-01T00:00:00Z", "1970-01-01T00:00:00Z", "2026-11-01T00:00:00.000Z"],
  ] as const
) {
  Deno.test(`modificationDate() of ${created} behind ${before} is ${date}`, () => {
    const annotations: Record<string, string> = created === undefined
      ? {}
      : { "org.opencontainers.image.created": created };
    const known = before === undefined ? undefined : { modifiedAt: new Date(before) } as Firmware;
    const actual = modificationDate(annotations, { known, today: TODAY });
    assert.equal(actual.toISOString(), date);
  });
}

for (
  const [created, before, date] of [
    // The author's clock was set.
    ["2026-11-01T10:00:00Z", undefined, "2026-11-01T10:00:00.000Z"],
    ["2026-11-01T10:00:00Z", "2026-10-01T00:00:00Z", "2026-11-01T10:00:00.000Z"],
    ["2026-11-01T10:00:00Z", "2026-11-02T00:00:00Z", "2026-11-02T00:00:01.000Z"],
    [undefined, "2026-11-02T00:00:00Z", "2026-11-02T00:00:01.000Z"],
    // Nobody knows: not a date that a device's own would always be behind.
    [undefined, undefined, "1970-01-01T00:00:00.000Z"],
    ["1970-01-01T00:00:05Z", undefined, "1970-01-01T00:00:00.000Z"],
    [undefined, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"],
  ] as const
) {
  Deno.test(`modificationDate() of ${created} behind ${before} is ${date} while no clock is set`, () => {
    const annotations: Record<string, string> = created === undefined
      ? {}
      : { "org.opencontainers.image.created": created };
    const known = before === undefined ? undefined : { modifiedAt: new Date(before) } as Firmware;
    const today = new Date("1970-01-01T00:00:20Z");
    assert.equal(modificationDate(annotations, { known, today }).toISOString(), date);
  });
}
