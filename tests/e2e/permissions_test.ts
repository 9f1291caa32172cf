import assert from "node:assert/strict";
import { run } from "../helpers/cache.ts";
import { subjectCommand } from "../helpers/subject.ts";

/** What the probe may do with the service's permissions, before and after it kept only some. */
async function probe(...kept: string[]): Promise<{ before: string[]; after: string[] }> {
  const { command, args } = await subjectCommand("tests/helpers/permissions_probe.ts");
  const { success, stdout, stderr } = await run(command, { args: [...args, ...kept] });
  assert.ok(success, stderr);
  return JSON.parse(stdout);
}

Deno.test("the service may read and write files, use the network, and read its variables only", async () => {
  assert.deepEqual((await probe()).before, ["read", "write", "env", "net"]);
});

Deno.test("a registry without a cache folder leaves nothing but the network", async () => {
  assert.deepEqual((await probe()).after, ["net"]);
});

Deno.test("layouts without a cache folder leave no writing", async () => {
  assert.deepEqual((await probe("read")).after, ["read", "net"]);
});

Deno.test("a cache folder leaves reading and writing, and not the environment", async () => {
  assert.deepEqual((await probe("read", "write")).after, ["read", "write", "net"]);
});
