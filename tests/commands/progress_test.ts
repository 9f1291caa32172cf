import assert from "node:assert/strict";
import { ProgressBar } from "../../src/commands/progress.ts";

Deno.test("ProgressBar writes once for each hundredth, however small the pieces are", () => {
  const written: string[] = [];
  const bar = new ProgressBar(1_000_000, (text) => written.push(text));
  for (let at = 0; at < 10_000; at++) bar.advance(100);
  assert.equal(written.length, 101);
  assert.equal(written[50], `\r\x1b[K[${"#".repeat(15)}${".".repeat(15)}]  50 %  0.5 of 1.0 MB`);
  bar.end();
  assert.equal(written.at(-1), "\r\x1b[K");
});

Deno.test("ProgressBar is not confused by more than was said, or by nothing", () => {
  for (const total of [0, 10]) {
    const written: string[] = [];
    const bar = new ProgressBar(total, (text) => written.push(text));
    bar.advance(25);
    assert.match(written.at(-1) ?? "", /\[#{30}\] 100 % /);
  }
});
