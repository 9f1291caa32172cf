import assert from "node:assert/strict";
import { join } from "node:path";
import { generated } from "../deploy/generate.ts";

const REPOSITORY = join(import.meta.dirname ?? ".", "..");

Deno.test("What follows from the settings is up to date, see deno task generate", async () => {
  const files = Object.entries(await generated());
  assert(files.length > 0);
  for (const [path, wanted] of files) {
    assert.equal(await Deno.readTextFile(join(REPOSITORY, path)), wanted, path);
  }
});

Deno.test("README is short", async () => {
  const readme = await Deno.readTextFile(join(REPOSITORY, "README.md"));
  assert.ok(readme.split("\n").length < 200);
});

Deno.test("README, the image and CI name one version of Deno", async () => {
  const versions = new Set<string>();
  for (const path of ["README.md", "Dockerfile", ".ci/run"]) {
    const text = await Deno.readTextFile(join(REPOSITORY, path));
    const named = [...text.matchAll(/\bdeno(?:@|:|\]\(\S+\) )(\d+\.\d+\.\d+)/gi)];
    assert.ok(named.length > 0, path);
    for (const [, version = ""] of named) versions.add(version);
  }
  assert.equal(versions.size, 1, [...versions].join(", "));
});
