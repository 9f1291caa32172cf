import assert from "node:assert/strict";
import { join } from "node:path";
import { COMMANDS } from "../../src/config/commands.ts";
import { exists, run } from "../helpers/cache.ts";

const REPOSITORY = join(import.meta.dirname ?? ".", "..", "..");
const deployment = await Deno.readTextFile(join(REPOSITORY, "docs", "deployment.md"));

Deno.test("docs/deployment.md names files that there are", async () => {
  const paths = [...deployment.matchAll(/\bdeploy\/[\w./-]*\w/g)].map(([path]) => path);
  assert.ok(paths.length >= 5);
  for (const path of paths) assert.ok(await exists(join(REPOSITORY, path)), path);
});

Deno.test("docs/deployment.md shows every command", () => {
  for (const name of Object.keys(COMMANDS)) assert.ok(deployment.includes(`otaflux ${name}`), name);
});

Deno.test("docs/operations.md names every room that logs", async () => {
  const operations = await Deno.readTextFile(join(REPOSITORY, "docs", "operations.md"));
  const [row = ""] = /^\| `room` .*$/m.exec(operations) ?? [];
  const { stdout } = await run("grep", {
    args: ["-rhoP", 'logger\\("\\K[a-z]+(?="\\))', "main.ts", "src"],
    cwd: REPOSITORY,
  });
  const rooms = new Set(stdout.trim().split("\n"));
  assert.ok(rooms.size >= 5);
  assert.deepEqual(
    [...row.matchAll(/`(\w+)`/g)].map(([, name]) => name).slice(1).toSorted(),
    [
      ...rooms,
    ].toSorted(),
  );
});
