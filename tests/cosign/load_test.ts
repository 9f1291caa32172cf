import assert from "node:assert/strict";
import { loadPolicy, type PolicyTexts, UnusablePolicy } from "../../src/cosign/load.ts";
import { trustedRoot } from "../helpers/cosign_fixture.ts";
import { Signer } from "../helpers/cosign_signer.ts";

const signer = new Signer();
const file = { path: "/keys/release.pub", pem: signer.pem };

function texts(some: Partial<PolicyTexts>): PolicyTexts {
  return {
    keys: [file],
    keyless: undefined,
    annotations: {},
    minSignatures: 1,
    requireVersion: false,
    ...some,
  };
}

const keyless = {
  identity: "ci@example.com",
  issuer: "https://issuer.example",
  trustedRootPath: "/root.json",
};

Deno.test("loadPolicy() reads keys, and calls them by their files", async () => {
  const { keys, ...rest } = await loadPolicy(texts({ annotations: { a: "b" } }));
  assert.deepEqual(keys.map(({ name, id }) => [name, id]), [["release.pub", signer.key.id]]);
  assert.deepEqual(rest, {
    keyless: undefined,
    annotations: { a: "b" },
    minSignatures: 1,
    requireVersion: false,
  });
});

Deno.test("loadPolicy() reads a trusted root, and tries the verifier", async () => {
  const policy = await loadPolicy(texts({
    keys: [],
    keyless: { ...keyless, trustedRoot: trustedRoot() },
    minSignatures: 2,
  }));
  assert.equal(policy.keyless?.identity, "ci@example.com");
});

for (
  const [what, some, message] of [
    [
      "a private key",
      { keys: [file, { path: "/keys/wrong.pub", pem: signer.privatePem }] },
      '--cosign-pub-key-path: "/keys/wrong.pub" is a private key, want the public one ' +
      "(cosign public-key)",
    ],
    [
      "more signatures than there are different keys",
      { keys: [file, { ...file, path: "/keys/copy.pub" }], minSignatures: 2 },
      "--cosign-min-signatures: 2 cannot be met by 1 different keys",
    ],
    [
      "a trusted root that is none",
      { keyless: { ...keyless, trustedRoot: "{}" } },
      /^--cosign-trusted-root-path: "\/root.json" is no trusted root of Sigstore's: /,
    ],
  ] as const
) {
  Deno.test(`loadPolicy() refuses ${what} in one line`, async () => {
    await assert.rejects(loadPolicy(texts(some)), (error) => {
      assert(error instanceof UnusablePolicy);
      if (typeof message === "string") assert.equal(error.message, message);
      else assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n|PRIVATE/);
      return true;
    });
  });
}
