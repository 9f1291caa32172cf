import assert from "node:assert/strict";
import { bytesInWords, counted, durationInWords } from "../../src/status/amounts.ts";

for (
  const [bytes, words] of [
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1.00 KiB"],
    [10_235, "10.0 KiB"],
    [102_399, "100 KiB"],
    [1_048_063, "1023 KiB"],
    [1_048_064, "1.00 MiB"],
    [1024 ** 3, "1.00 GiB"],
    [5000 * 1024 ** 4, "5000 TiB"],
  ] as const
) {
  Deno.test(`bytesInWords() calls ${bytes} bytes ${words}`, () => {
    assert.equal(bytesInWords(bytes), words);
  });
}

for (
  const [ms, words] of [
    [0, "0 s"],
    [59_999, "59 s"],
    [60_000, "1 min"],
    [3_599_999, "59 min"],
    [3_600_000, "1 h"],
    [48 * 3_600_000 - 1, "47 h"],
    [48 * 3_600_000, "2 days"],
  ] as const
) {
  Deno.test(`durationInWords() calls ${ms} ms ${words}`, () => {
    assert.equal(durationInWords(ms), words);
  });
}

Deno.test("counted() takes the singular for one only", () => {
  const words = [0, 1, 2, 12_000].map((count) => counted(count, "device"));
  assert.deepEqual(words, ["0 devices", "1 device", "2 devices", "12,000 devices"]);
});
