import assert from "node:assert/strict";
import { type CheckConfig, readConfig } from "../../src/config/config.ts";
import { UsageError } from "../../src/config/usage.ts";

function read(...args: string[]): CheckConfig {
  const config = readConfig({
    args,
    env: (name) => name === "MAX_FIRMWARE_SIZE" ? "1KiB" : undefined,
    version: "1.2.3",
    readTextFile: () => {
      throw new Deno.errors.NotFound("No such file");
    },
    isDirectory: () => true,
    listDirectory: () => [],
  });
  assert(typeof config !== "string" && config.command === "check");
  return config;
}

Deno.test("readConfig() reads which device is checked, and the service's settings before it and behind", () => {
  const flags = ["--repository-prefix", "factory/"];
  const source = ["--registry-url", "registry.example"];
  for (
    const args of [
      ["check", "esp32", ...flags, ...source],
      ["check", ...flags, "esp32", ...source],
      [...flags, ...source, "check", "esp32"],
    ]
  ) {
    const config = read("--default-constraint", "^1.2", ...args);
    assert.equal(config.device, "esp32");
    assert.equal(config.repositoryPrefix, "factory");
    assert.equal(config.maxFirmwareBytes, 1024);
    assert.equal(config.selection.constraint, "^1.2");
    assert(config.source.kind === "registry");
    assert.equal(config.source.url.href, "https://registry.example/");
  }
});

for (
  const [what, args, complaint] of [
    ["no device", ["check", "--layout-dir", "/x"], /missing required argument 'device'/i],
    ["two devices", ["check", "a", "b", "--layout-dir", "/x"], /too many arguments/i],
    ["no source", ["check", "a"], /Where firmware comes from is not said/],
    [
      "what would hinder the service",
      ["check", "a", "--layout-dir", "/x", "--webhook-secret-file", "/y"],
      /--webhook-secret-file: cannot read/,
    ],
  ] as const
) {
  Deno.test(`readConfig() refuses to check with ${what}`, () => {
    assert.throws(() => read(...args), (error) => {
      assert(error instanceof UsageError);
      assert.match(error.message, complaint);
      return true;
    });
  });
}
