import assert from "node:assert/strict";
import { Findings } from "../../src/cosign/findings.ts";
import { Unacceptable } from "../../src/cosign/unacceptable.ts";
import { ServiceError } from "../../src/errors.ts";

Deno.test("Findings names each reason once with its count, and no more than five", () => {
  const findings = new Findings();
  assert.equal(String(findings), "no signature");
  findings.signers.add("a key").add("a key");
  for (const reason of ["a", "b", "a", "c", "d", "e", "f", "g"]) {
    findings.add(new Unacceptable(reason));
  }
  assert.equal(String(findings), "signatures of 1, 2 times a, b, c, d, e, 2 other things");
});

Deno.test("Findings keeps the first failure of the source, and takes no other for one", () => {
  const findings = new Findings();
  const [first, second] = [1, 2].map((at) => new ServiceError("source-timeout", `Slow ${at}`));
  findings.add(new Unacceptable("a signature by no key that counts"));
  findings.add(new ServiceError("artifact-invalid", "Document is no image manifest"));
  assert.equal(findings.outage, undefined);
  for (const failure of [first, second]) findings.add(failure ?? new Unacceptable(""));
  assert.equal(findings.outage, first);
});
