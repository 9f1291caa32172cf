import assert from "node:assert/strict";
import { InstalledVersions } from "../../src/notifier/installed.ts";

Deno.test("InstalledVersions tells of what is said first, and of what is said anew", () => {
  let nowMs = 0;
  const versions = new InstalledVersions(() => nowMs);
  assert(versions.note("pump", "v1.0.0"));
  assert.equal(versions.take("pump"), "1.0.0");
  assert(!versions.note("pump", "1.0.0"), "it was told");
  nowMs = 10_000;
  assert(versions.note("pump", "1.1.0"));
});

Deno.test("InstalledVersions says it again until somebody is told", () => {
  const versions = new InstalledVersions(() => 0);
  assert(versions.note("pump", "1.0.0"));
  assert(versions.note("pump", "1.0.0"));
});

Deno.test("InstalledVersions is calm where devices of one id say different things in turn", () => {
  let nowMs = 0;
  const versions = new InstalledVersions(() => nowMs);
  let told = 0;
  for (; nowMs < 60_000; nowMs += 100) {
    if (!versions.note("pump", nowMs % 200 === 0 ? "1.0.0" : "1.1.0")) continue;
    versions.take("pump");
    told++;
  }
  assert(told > 1 && told <= 6, `${told}`);
});

Deno.test("InstalledVersions takes nothing that is no version, and knows nothing of others", () => {
  const versions = new InstalledVersions(() => 0);
  for (const text of ["", "latest", "1.0", "9".repeat(300)]) {
    assert(!versions.note("pump", text), text);
  }
  assert.equal(versions.take("pump"), undefined);
});
