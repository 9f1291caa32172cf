import assert from "node:assert/strict";
import { CosignFixture, FIXTURES, verifyFixture } from "../helpers/cosign_fixture.ts";

for (const name of FIXTURES.filter((name) => name !== "v3-attestation")) {
  Deno.test(`CosignVerifier accepts what the real cosign has signed: ${name}`, async () => {
    await verifyFixture(new CosignFixture(name));
  });
}

Deno.test("CosignVerifier takes an SBOM by the same key for no signature", async () => {
  await assert.rejects(verifyFixture(new CosignFixture("v3-attestation")), {
    code: "signature-invalid",
    cause: /found a statement of the type "https:\/\/spdx.dev\/Document", which is no signature/,
  });
});
