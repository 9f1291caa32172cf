import assert from "node:assert/strict";
import { VersionLabels } from "../../src/metrics/version_labels.ts";

const say = (labels: VersionLabels, running: string, offered = "9.9.9", device = "a"): string =>
  labels.label(device, { running, offered }).label;

Deno.test("VersionLabels labels versions in one way of writing, and all else as other", () => {
  const labels = new VersionLabels();
  for (
    const [running, label] of [
      ["1.2.3", "1.2.3"],
      ["v1.2.3", "1.2.3"],
      ["1.2.3-rc.1+7", "1.2.3-rc.1+7"],
      ["1.2", "other"],
      ["latest", "other"],
      ["", "other"],
      ["1.2.3\n", "1.2.3"],
      [`1.2.3-${"x".repeat(1000)}`, "other"],
    ] as const
  ) assert.equal(say(labels, running), label);
});

Deno.test("VersionLabels gives twenty versions of a device a label, and each device its own twenty", () => {
  const labels = new VersionLabels();
  for (let minor = 0; minor < 20; minor++) {
    assert.equal(say(labels, `1.${minor}.0`), `1.${minor}.0`);
  }
  assert.equal(say(labels, "1.20.0"), "other");
  assert.equal(say(labels, "1.0.0"), "1.0.0");
  assert.equal(say(labels, "1.20.0", "9.9.9", "b"), "1.20.0");
});

Deno.test("VersionLabels makes room for the version that is offered", () => {
  const labels = new VersionLabels();
  for (let minor = 0; minor < 20; minor++) say(labels, `1.${minor}.0`);
  const versions = { running: "2.0.0", offered: "2.0.0" };
  assert.deepEqual(labels.label("a", versions), { label: "2.0.0", dropped: "1.0.0" });
  assert.deepEqual(labels.label("a", versions), { label: "2.0.0" });
  assert.equal(say(labels, "1.0.0"), "other");
});

Deno.test("VersionLabels.counted() tells how often each was said, the most frequent first", () => {
  const labels = new VersionLabels();
  assert.deepEqual(labels.counted("a"), []);
  for (const running of ["1.0.0", "v1.1.0", "1.1.0", "x", "1.1.0", "y"]) say(labels, running);
  say(labels, "3.0.0", "9.9.9", "b");
  assert.deepEqual(labels.counted("a"), [
    { version: "1.1.0", polls: 3 },
    { version: "other", polls: 2 },
    { version: "1.0.0", polls: 1 },
  ]);
});

Deno.test("VersionLabels.counted() forgets what had to make room", () => {
  const labels = new VersionLabels();
  for (let minor = 0; minor < 20; minor++) say(labels, `1.${minor}.0`);
  say(labels, "2.0.0", "2.0.0");
  const versions = labels.counted("a").map(({ version }) => version);
  assert.deepEqual([versions.length, versions.includes("1.0.0"), versions.includes("2.0.0")], [
    20,
    false,
    true,
  ]);
});
