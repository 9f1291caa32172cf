import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { generateKeyPairSync, sign, verify } from "node:crypto";
import type { KeylessIdentity } from "../../src/cosign/keyless.ts";
import { KNOWN_GOOD_BUNDLE } from "../../src/cosign/known_good.ts";
import type { SigningPolicy } from "../../src/cosign/policy.ts";
import { loadSigstore, UnusableRoot } from "../../src/cosign/sigstore.ts";
import type { Digest } from "../../src/digest.ts";
import { describeError, isServiceError } from "../../src/errors.ts";
import {
  CosignFixture,
  keylessFixture,
  policyOf,
  trustedRoot,
  verifyFixture,
} from "../helpers/cosign_fixture.ts";
import { Signer } from "../helpers/cosign_signer.ts";
import { utf8 } from "../helpers/manifest.ts";

const IDENTITY =
  "https://github.com/kubewarden/kubewarden-controller/.github/workflows/release.yml" +
  "@refs/tags/v1.34.0";
const ISSUER = "https://token.actions.githubusercontent.com";

async function policyFor(
  wanted: Partial<KeylessIdentity> = {},
  root = trustedRoot(),
): Promise<SigningPolicy> {
  const sigstore = await loadSigstore(root);
  return policyOf([], {
    keyless: { identity: IDENTITY, issuer: ISSUER, ...wanted, trustedRoot: root, sigstore },
  });
}

Deno.test("CosignVerifier accepts a real keyless signature, and asks no server for it", async () => {
  const fetchBefore = globalThis.fetch;
  globalThis.fetch = () => assert.fail("asked a server");
  try {
    await verifyFixture(keylessFixture(), await policyFor());
  } finally {
    globalThis.fetch = fetchBefore;
  }
});

for (
  const identity of [
    /^(?:https:\/\/github\.com\/kubewarden\/.+)$/,
    /^(?:.*@refs\/tags\/v[0-9.]+)$/,
  ]
) {
  Deno.test(`CosignVerifier accepts an identity that ${identity} matches`, async () => {
    await verifyFixture(keylessFixture(), await policyFor({ identity }));
  });
}

for (
  const [what, wanted] of [
    ["another identity", { identity: `${IDENTITY}.1` }],
    ["a part of the identity", { identity: "kubewarden" }],
    ["the end of the identity", { identity: "release.yml@refs/tags/v1.34.0" }],
    ["what the identity would match as a pattern", {
      identity: IDENTITY.replace("v1.34", "v1.3."),
    }],
    ["a pattern of a part", { identity: /^(?:https:\/\/github\.com\/kubewarden\/)$/ }],
    ["another issuer", { issuer: "https://accounts.google.com" }],
    ["a part of the issuer", { issuer: "https://token.actions" }],
  ] as const
) {
  Deno.test(`CosignVerifier refuses a keyless signature where the policy names ${what}`, async () => {
    const policy = await policyFor(wanted);
    await assert.rejects(verifyFixture(keylessFixture(), policy), {
      code: "signature-invalid",
      cause: /found a signature by "https:.*" of "https:\/\/token\.actions\..*", want 1 of /,
    });
  });
}

/** Signed without a key as Cosign v2 notes it, and verified against a root of the test's own. */
async function verifyAnnotations(
  fixture: CosignFixture,
  wanted: Partial<KeylessIdentity> = {},
  root = trustedRoot("keyless-annotations-root"),
): Promise<void> {
  const identity = "https://ci.example/acme/esp32";
  const policy = await policyFor({ identity, issuer: "https://issuer.example", ...wanted }, root);
  await verifyFixture(fixture, policy);
}

Deno.test("CosignVerifier accepts certificate and promise in the annotations of v2", async () => {
  await verifyAnnotations(new CosignFixture("keyless-annotations"));
});

Deno.test("CosignVerifier refuses the annotations of v2 of another identity, root or none", async () => {
  const refused = { code: "signature-invalid" };
  const fixture = new CosignFixture("keyless-annotations");
  const other = { identity: "https://ci.example/acme" };
  await assert.rejects(verifyAnnotations(fixture, other), refused);
  await assert.rejects(verifyAnnotations(fixture, { issuer: "https://other.example" }), refused);
  await assert.rejects(verifyAnnotations(fixture, {}, trustedRoot()), refused);
  await assert.rejects(verifyFixture(fixture, policyOf([new Signer().key])), refused);
});

for (
  const [what, name, from, to, reason] of [
    ["no promise", "bundle", /.*/, "", "what is not JSON"],
    ["another time", "bundle", /"integratedTime":\d/, '"integratedTime":2', "does not hold"],
    ["another index", "bundle", /"logIndex":/, '"logIndex":1', "does not hold"],
    ["another log", "bundle", /"logID":"../, '"logID":"00', "does not hold"],
    ["another body", "bundle", /"body":"/, '"body":"AAAA', "what is not JSON"],
    ["no certificate", "certificate", /[^]*/, "none", "what is no certificate"],
    ["a damaged certificate", "certificate", /(?<=CERTIFICATE-----\n.{80})./s, "!", "certificate"],
  ] as const
) {
  Deno.test(`CosignVerifier refuses the annotations of v2 with ${what}`, async () => {
    const fixture = new CosignFixture("keyless-annotations");
    const tag = `${fixture.digest.replace(":", "-")}.sig`;
    const digest = fixture.tags.get(tag) ?? "";
    const manifest = JSON.parse(new TextDecoder().decode(fixture.manifests.get(digest)?.bytes));
    const { annotations } = manifest.layers[0];
    const before = annotations[`dev.sigstore.cosign/${name}`];
    annotations[`dev.sigstore.cosign/${name}`] = before.replace(from, to);
    assert.notEqual(annotations[`dev.sigstore.cosign/${name}`], before);
    fixture.resealManifest(digest, utf8(JSON.stringify(manifest)));
    await assert.rejects(verifyAnnotations(fixture), (error) => {
      assert(isServiceError(error, "signature-invalid"));
      assert(describeError(error).includes(reason), describeError(error));
      return true;
    });
  });
}

/** The fixture with its bundle changed, and attached again. */
function changed(change: (bundle: ReturnType<typeof JSON.parse>) => void): CosignFixture {
  const fixture = keylessFixture();
  const [digest = ""] = fixture.signatureBlobs();
  const bundle = JSON.parse(KNOWN_GOOD_BUNDLE);
  change(bundle);
  fixture.reseal(digest, utf8(JSON.stringify(bundle)));
  return fixture;
}

for (
  const [what, change] of [
    ["has no entry in a log", (bundle) => bundle.verificationMaterial.tlogEntries = []],
    [
      "has neither proof nor promise of its entry",
      ({ verificationMaterial: { tlogEntries: [entry] } }) => {
        delete entry.inclusionProof;
        delete entry.inclusionPromise;
      },
    ],
    [
      "has a proof that does not hold",
      ({ verificationMaterial: { tlogEntries: [entry] } }) => {
        entry.inclusionProof.hashes.pop();
        delete entry.inclusionPromise;
      },
    ],
    [
      "has an entry of another signature",
      ({ verificationMaterial: { tlogEntries: [entry] } }) => {
        const body = JSON.parse(atob(entry.canonicalizedBody));
        body.spec.payloadHash.value = "0".repeat(64);
        entry.canonicalizedBody = btoa(JSON.stringify(body));
      },
    ],
    [
      "is by another key than the certificate's",
      (bundle) => bundle.dsseEnvelope.signatures[0].sig = new Signer().sign(utf8("anything")),
    ],
  ] as const satisfies readonly [string, (bundle: ReturnType<typeof JSON.parse>) => unknown][]
) {
  Deno.test(`CosignVerifier refuses a keyless signature that ${what}`, async () => {
    await assert.rejects(verifyFixture(changed(change), await policyFor()), {
      code: "signature-invalid",
      cause: /found a certificate's signature that does not hold/,
    });
  });
}

Deno.test("CosignVerifier accepts the proof of an entry in the log without a promise", async () => {
  const fixture = changed(({ verificationMaterial: { tlogEntries: [entry] } }) => {
    assert(entry.inclusionPromise !== undefined);
    delete entry.inclusionPromise;
  });
  await verifyFixture(fixture, await policyFor());
});

Deno.test("CosignVerifier refuses a keyless signature of another image", async () => {
  const fixture = keylessFixture();
  const digest = `sha256:${"0".repeat(64)}` as Digest;
  const documents = [{ digest, bytes: utf8("{}") }];
  const firmware = { tag: "1.0.0", version: "1.0.0", documents };
  await assert.rejects(verifyFixture(fixture, await policyFor(), { firmware }), {
    cause: /found a signature of "sha256,c811d58de79c/,
  });
});

Deno.test("CosignVerifier refuses a certificate of an authority that the root does not name", async () => {
  const root = JSON.parse(trustedRoot());
  for (
    const [what, without] of [
      ["certificateAuthorities", "fulcio"],
      ["ctlogs", "ctfe"],
      ["tlogs", "rekor"],
    ] as const
  ) {
    const others = { ...root, [what]: [{ ...root[what][0], ...foreign(what) }] };
    const policy = await policyFor({}, JSON.stringify(others));
    await assert.rejects(verifyFixture(keylessFixture(), policy), {
      code: "signature-invalid",
      cause: /that does not hold/,
    }, without);
  }
});

Deno.test("CosignVerifier refuses a certificate that is in no certificate log", async () => {
  await assert.rejects(verifyAnnotations(new CosignFixture("keyless-without-timestamp")), {
    cause: /that does not hold \(expected 1 SCTs, got 0\)/,
  });
});

/** What somebody else would have in a trusted root. */
function foreign(what: "certificateAuthorities" | "ctlogs" | "tlogs"): Record<string, unknown> {
  if (what === "certificateAuthorities") return {}; // The first one has issued others only.
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const rawBytes = publicKey.export({ type: "spki", format: "der" }).toString("base64");
  return {
    publicKey: {
      rawBytes,
      keyDetails: "PKIX_ECDSA_P256_SHA_256",
      validFor: { start: "2020-01-01T00:00:00Z" },
    },
  };
}

for (
  const [what, root] of [
    ["no JSON", "{"],
    ["nothing", "{}"],
    ["a root without logs", JSON.stringify({ ...JSON.parse(trustedRoot()), tlogs: [] })],
    ["null", "null"],
    ["a bundle", KNOWN_GOOD_BUNDLE],
  ] as const
) {
  Deno.test(`loadSigstore() refuses ${what} for a trusted root`, async () => {
    await assert.rejects(loadSigstore(root), UnusableRoot);
  });
}

Deno.test("Deno needs the mend still: without a hash it verifies no ECDSA signature", () => {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const data = Buffer.from("data");
  const signature = sign("sha256", data, privateKey);
  assert.equal(verify("sha256", data, publicKey, signature), true);
  // Once this verifies, as on Node, the mend in sigstore.ts can go.
  assert.throws(() => verify(undefined, data, publicKey, signature));
});
