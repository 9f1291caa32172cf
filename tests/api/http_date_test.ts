import assert from "node:assert/strict";
import fc from "fast-check";
import { formatHttpDate, parseHttpDate } from "../../src/api/http_date.ts";

const TODAY = new Date("2026-11-24T12:00:00Z");
const NOVEMBER = Date.UTC(1994, 10, 6, 8, 49, 37);

for (
  const [text, ms] of [
    // The three of RFC 9110, 5.6.7.
    ["Sun, 06 Nov 1994 08:49:37 GMT", NOVEMBER],
    ["Sunday, 06-Nov-94 08:49:37 GMT", NOVEMBER],
    ["Sun Nov  6 08:49:37 1994", NOVEMBER],
    // More than fifty years ahead would be 2077: that is 1977.
    ["Thursday, 24-Nov-76 00:00:00 GMT", Date.UTC(2076, 10, 24)],
    ["Thursday, 24-Nov-77 00:00:00 GMT", Date.UTC(1977, 10, 24)],
    ["Thu, 29 Feb 2024 23:59:60 GMT", Date.UTC(2024, 2, 1)],
    ["Sun, 06 Nov 0094 08:49:37 GMT", new Date("0094-11-06T08:49:37Z").getTime()],
    ["Fri, 30 Feb 2024 00:00:00 GMT", undefined],
    ["Sun, 06 Nov 1994 24:00:00 GMT", undefined],
    ["Sun, 06 Nov 1994 08:60:00 GMT", undefined],
    ["sun, 06 nov 1994 08:49:37 gmt", undefined],
    ["Sun, 06 Nov 1994 08:49:37", undefined],
    ["Sun, 06 Nov 1994 08:49:37 UTC", undefined],
    ["Sun, 6 Nov 1994 08:49:37 GMT", undefined],
    ["1994-11-06T08:49:37Z", undefined],
    ["Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", undefined],
    ["0", undefined],
    ["", undefined],
  ] as const
) {
  Deno.test(`parseHttpDate() reads ${text}`, () => {
    assert.equal(parseHttpDate(text, TODAY), ms);
  });
}

Deno.test("parseHttpDate() reads what formatHttpDate() writes", () => {
  const seconds = fc.integer({ min: 0, max: 253_402_300_799 });
  fc.assert(fc.property(seconds, (time) => {
    assert.equal(parseHttpDate(formatHttpDate(new Date(time * 1000))), time * 1000);
  }));
});
