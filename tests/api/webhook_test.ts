import assert from "node:assert/strict";
import fc from "fast-check";
import { repositoryIn } from "../../src/api/webhook.ts";
import { isRepositoryName } from "../../src/repository.ts";

for (
  const [reference, repository] of [
    ["ghcr.io/Owner/name:1.0.0", "owner/name"],
    ["ghcr.io/owner/name:", "owner/name"],
    ["ghcr.io/owner/name", "owner/name"],
    ["localhost:5000/a/b/c:1@sha256:00", "a/b/c"],
    ["h/a@sha256:00", "a"],
    ["https://h:1/a", "a"],
    ["h", ""],
    ["h/", ""],
    ["", ""],
  ] as const
) {
  Deno.test(`repositoryIn() finds "${repository}" in "${reference}"`, () => {
    assert.equal(repositoryIn(reference), repository);
  });
}

Deno.test("repositoryIn() finds every repository with every tag", () => {
  const part = fc.stringMatching(/^[a-z0-9]{1,8}([._-][a-z0-9]{1,8})?$/);
  const name = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
  fc.assert(fc.property(
    name,
    fc.constantFrom("", ":1.0.0", ":latest", "@sha256:00", ":1@sha256:00"),
    (repository, end) => {
      assert(isRepositoryName(repository));
      assert.equal(repositoryIn(`registry.example:5000/${repository}${end}`), repository);
    },
  ));
});

Deno.test("repositoryIn() takes no longer for what is made to be slow", () => {
  const start = performance.now();
  for (const end of ["/", "\n", "@\n", ":/"]) {
    for (const mark of [":", "@", "/", "https://"]) repositoryIn(`x/${mark.repeat(500_000)}${end}`);
  }
  // A quadratic expression takes a minute and more for each.
  assert.ok(performance.now() - start < 5000);
});
