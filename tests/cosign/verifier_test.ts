import assert from "node:assert/strict";
import { AcceptedVersions } from "../../src/cosign/accepted.ts";
import type { SigningPolicy } from "../../src/cosign/policy.ts";
import { CosignVerifier } from "../../src/cosign/verifier.ts";
import type { Digest } from "../../src/digest.ts";
import { describeError } from "../../src/errors.ts";
import { LayoutSource } from "../../src/layout/source.ts";
import { RegistryClient } from "../../src/registry/client.ts";
import { createTransport } from "../../src/registry/transport.ts";
import { imageIndex } from "../helpers/artifacts.ts";
import {
  CosignFixture,
  FIXTURE_DEVICE,
  fixtureKey,
  FIXTURES,
  policyOf,
  verifyFixture,
} from "../helpers/cosign_fixture.ts";
import { signatureManifest, signatureTag, Signer } from "../helpers/cosign_signer.ts";
import { withFolder } from "../helpers/disk.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { FakeSource } from "../helpers/fake_source.ts";
import { writeLayout } from "../helpers/layout.ts";
import { type Artifact, manifestOf, utf8 } from "../helpers/manifest.ts";

const SIGNED = FIXTURES.filter((name) => name !== "v3-attestation");

for (const name of SIGNED) {
  Deno.test(`CosignVerifier accepts what the real cosign has signed: ${name}`, async () => {
    await verifyFixture(new CosignFixture(name));
  });

  Deno.test(`CosignVerifier refuses with another key what the real cosign has signed: ${name}`, async () => {
    const policy = policyOf([new Signer().key, new Signer("P-384").key]);
    await assert.rejects(verifyFixture(new CosignFixture(name), policy), {
      code: "signature-invalid",
      cause:
        /^sha256:[0-9a-f]{64}: found .*by no key that counts.*, want 1 of signer.pub \([0-9a-f]/,
    });
  });
}

Deno.test("CosignVerifier takes an SBOM by the same key for no signature", async () => {
  await assert.rejects(verifyFixture(new CosignFixture("v3-attestation")), {
    code: "signature-invalid",
    cause: /found a statement of the type "https:\/\/spdx.dev\/Document", which is no signature/,
  });
});

/** Moves a fixture into a registry of this process. */
async function verifyAtRegistry(name: string, referrers: boolean): Promise<readonly string[]> {
  const fixture = new CosignFixture(name);
  await using registry = new FakeRegistry({ referrers });
  for (const { tag, artifact } of fixture.artifacts()) {
    registry.push(`factory/${FIXTURE_DEVICE}`, tag, artifact);
  }
  const url = new URL(registry.origin);
  const source = new RegistryClient({
    url,
    repositoryPrefix: "factory",
    fetch: createTransport({
      registry: url,
      credentials: undefined,
      caCertificates: [],
      idleMs: 5000,
      userAgent: "test",
    }),
  });
  const policy = policyOf(fixture.keys());
  const accepted = new AcceptedVersions(undefined);
  await new CosignVerifier({ source, policy, accepted })
    .verify(FIXTURE_DEVICE, fixture.firmware());
  return registry.requests.map(({ kind, reference = "" }) =>
    `${kind} ${reference.replace(fixture.digest.slice(7), "D")}`.replace(/sha256:[0-9a-f]+/, "…")
  );
}

Deno.test("CosignVerifier finds a bundle by the referrers API, and asks for nothing else", async () => {
  assert.deepEqual(await verifyAtRegistry("v3-referrers", true), [
    "referrers sha256:D",
    "manifest …",
    "blob …",
  ]);
});

Deno.test("CosignVerifier finds a bundle by the tag that stands in for the API", async () => {
  assert.deepEqual(await verifyAtRegistry("v3-p256", false), [
    "referrers sha256:D",
    "manifest sha256-D",
    "manifest …",
    "blob …",
  ]);
});

Deno.test("CosignVerifier finds signatures of v2 at their tag", async () => {
  assert.deepEqual(await verifyAtRegistry("v2-p256", false), [
    "referrers sha256:D",
    "manifest sha256-D",
    "manifest sha256-D.sig",
    "blob …",
  ]);
  await verifyAtRegistry("v2-referrers", true);
});

for (const name of ["v2-p256", "v3-p256", "v3-referrers"]) {
  Deno.test(`CosignVerifier finds signatures in an image layout: ${name}`, () =>
    withFolder(async (directory) => {
      const fixture = new CosignFixture(name);
      for (const { tag, artifact } of fixture.artifacts()) {
        await writeLayout(`${directory}/${FIXTURE_DEVICE}`, tag ?? "untagged", artifact);
      }
      const path = `${directory}/${FIXTURE_DEVICE}/index.json`;
      // As ORAS has it: what has no tag has no annotation.
      const index = JSON.parse(await Deno.readTextFile(path));
      for (const entry of index.manifests) {
        if (Object.values(entry.annotations).includes("untagged")) delete entry.annotations;
      }
      await Deno.writeTextFile(path, JSON.stringify(index));
      const source = new LayoutSource({ directory, repositoryPrefix: "" });
      const policy = policyOf(fixture.keys());
      const accepted = new AcceptedVersions(undefined);
      await new CosignVerifier({ source, policy, accepted })
        .verify(FIXTURE_DEVICE, fixture.firmware());
    }));
}

for (const name of ["v2-several", "v3-several"]) {
  Deno.test(`CosignVerifier counts different keys, not signatures: ${name}`, async () => {
    const fixture = new CosignFixture(name);
    const keys = fixture.keys();
    assert.equal(keys.length, 3);
    for (const key of keys) await verifyFixture(fixture, policyOf([new Signer().key, key]));
    await verifyFixture(fixture, policyOf(keys, { minSignatures: 3 }));
    await assert.rejects(verifyFixture(fixture, policyOf(keys, { minSignatures: 4 })), {
      cause: /: found signatures of 3, want 4 of other.pub \([0-9a-f]{8}\), p256.pub/,
    });
    const [first] = keys;
    assert(first !== undefined);
    const twice = policyOf([first, { ...first, name: "copy.pub" }], { minSignatures: 2 });
    await assert.rejects(verifyFixture(fixture, twice), { cause: /found signatures of 1, / });
  });
}

Deno.test("CosignVerifier verifies an index as a whole, or the manifest in it alone", async () => {
  const whole = new CosignFixture("v2-index");
  assert.equal(whole.firmware().documents.length, 2);
  await verifyFixture(whole);
  assert(whole.asked.includes(`manifest ${whole.digest.replace(":", "-")}.sig`));
  const child = new CosignFixture("v2-index-child");
  await verifyFixture(child);
  const [index] = child.firmware().documents;
  const firmware = { tag: "1.0.0", version: "1.0.0", documents: index ? [index] : [] };
  await assert.rejects(verifyFixture(child, undefined, { firmware }), {
    code: "signature-invalid",
  });
});

for (const name of ["v2-annotated", "v3-annotated"]) {
  Deno.test(`CosignVerifier wants annotations as they were signed: ${name}`, async () => {
    const fixture = new CosignFixture(name);
    const verify = (annotations: Record<string, string>, device = FIXTURE_DEVICE): Promise<void> =>
      verifyFixture(fixture, policyOf(fixture.keys(), { annotations }), { device });
    await verify({ channel: "stable", device: "{device}" });
    for (
      const [annotations, missing] of [
        [{ channel: "beta" }, "channel=beta"],
        [{ channel: "stable", batch: "7" }, "batch=7"],
        [{ toString: "x" }, "toString=x"],
        [{ device: "not-{device}" }, "device=not-esp32"],
      ] as const
    ) {
      await assert.rejects(verify({ ...annotations }), (error) => {
        assert.match(describeError(error), new RegExp(`without the annotation ${missing}, want`));
        return true;
      });
    }
  });
}

Deno.test("CosignVerifier binds a bundle to its device by an annotation", async () => {
  const fixture = new CosignFixture("v3-annotated");
  const policy = policyOf(fixture.keys(), { annotations: { device: "{device}" } });
  await assert.rejects(verifyFixture(fixture, policy, { device: "esp32-pro" }), {
    cause: /without the annotation device=esp32-pro/,
  });
});

Deno.test("CosignVerifier refuses a bare signature of the manifest where annotations are wanted", async () => {
  const policy = policyOf([fixtureKey("p256")], { annotations: { channel: "stable" } });
  await assert.rejects(verifyFixture(new CosignFixture("v3-message"), policy), {
    cause: /without the annotation channel=stable/,
  });
});

const VERSION = "org.opencontainers.image.version";
const signer = new Signer();

/** Verifies a firmware of the version 1.2.3 whose version must be signed. */
async function verifyVersion(
  { manifest = {}, signed = null, tag = "v1.2.3", part = "" }: {
    readonly part?: string;
    readonly manifest?: Readonly<Record<string, string>>;
    readonly signed?: Readonly<Record<string, string>> | null;
    readonly tag?: string;
  },
  accepted = new AcceptedVersions(undefined),
  content = "firmware",
): Promise<void> {
  const firmware = manifestOf({
    layers: [{ mediaType: "a/b", bytes: utf8(content) }],
    annotations: manifest,
  });
  const source = new FakeSource();
  const layer = signer.layer(firmware, { optional: signed });
  source.push("esp32", signatureTag(firmware), signatureManifest([layer]));
  const policy: SigningPolicy = policyOf([signer.key], { requireVersion: true });
  await new CosignVerifier({ source, policy, accepted }).verify("esp32", {
    tag,
    part,
    version: "1.2.3",
    documents: [{ digest: firmware.digest as Digest, bytes: firmware.manifest }],
  });
}

for (
  const [what, statement] of [
    ["the manifest", { manifest: { [VERSION]: "1.2.3" } }],
    ["the manifest as the tag has it", { manifest: { [VERSION]: "v1.2.3" } }],
    ["the signature", { signed: { [VERSION]: "1.2.3" } }],
    ["the signature in short", { signed: { version: "1.2.3" } }],
    ["both", { manifest: { [VERSION]: "1.2.3" }, signed: { version: "v1.2.3" } }],
  ] as const
) {
  Deno.test(`CosignVerifier accepts a version that is signed in ${what}`, () =>
    verifyVersion(statement));
}

for (
  const [what, statement, reason] of [
    ["is signed nowhere", {}, /found a signature that names no version, want/],
    [
      "is another one",
      { manifest: { [VERSION]: "1.2.2" } },
      /found a signature of the version "1.2.2"/,
    ],
    ["is another one to the signature", { signed: { version: "1.2.2" } }, /of the version "1.2.2"/],
    [
      "is two",
      { manifest: { [VERSION]: "1.2.3" }, signed: { version: "1.2.2" } },
      /of the version "1.2.2"/,
    ],
  ] as const
) {
  Deno.test(`CosignVerifier refuses a version that ${what}`, async () => {
    await assert.rejects(verifyVersion(statement), { code: "signature-invalid", cause: reason });
  });
}

Deno.test("CosignVerifier does not believe an index that only its manifest's signature covers", async () => {
  const manifest = manifestOf({ layers: [{ mediaType: "a/b", bytes: utf8("firmware") }] });
  const index = imageIndex([manifest], { annotations: { [VERSION]: "2.0.0" } });
  const documents = [index, manifest].map((part) => ({
    digest: part.digest as Digest,
    bytes: part.manifest,
  }));
  const verify = async (signed: Artifact): Promise<void> => {
    const source = new FakeSource();
    source.push("esp32", signatureTag(signed), signatureManifest([signer.layer(signed)]));
    const policy = policyOf([signer.key], { requireVersion: true });
    const accepted = new AcceptedVersions(undefined);
    await new CosignVerifier({ source, policy, accepted })
      .verify("esp32", { tag: "2.0.0", version: "2.0.0", documents });
  };
  await verify(index);
  await assert.rejects(verify(manifest), { cause: /found a signature that names no version/ });
});

Deno.test("CosignVerifier takes a manifest for the same firmware, in an index or without", async () => {
  const accepted = new AcceptedVersions(undefined);
  const policy = policyOf([fixtureKey("p256")], { requireVersion: true });
  for (const name of ["v2-index", "v2-p256"]) {
    const source = new CosignFixture(name);
    await new CosignVerifier({ source, policy, accepted })
      .verify(FIXTURE_DEVICE, source.firmware());
  }
});

Deno.test("CosignVerifier calls a second firmware for a version equivocation", async () => {
  const accepted = new AcceptedVersions(undefined);
  const statement = { signed: { version: "1.2.3" } };
  await verifyVersion(statement, accepted);
  await verifyVersion(statement, accepted);
  await assert.rejects(verifyVersion(statement, accepted, "another firmware"), {
    code: "signature-invalid",
    message: "Firmware 1.2.3 of device 'esp32' is not the one that was accepted for this version",
    cause: /^equivocation: found sha256:[0-9a-f]{64}, want sha256:[0-9a-f]{64}$/,
  });
  await verifyVersion(statement, accepted);
});

Deno.test("CosignVerifier accepts a firmware of a version for each hardware", async () => {
  const accepted = new AcceptedVersions(undefined);
  const statement = { signed: { version: "1.2.3" } };
  await verifyVersion(statement, accepted);
  await verifyVersion({ ...statement, part: "variant=c3" }, accepted, "for a C3");
  await verifyVersion({ ...statement, part: "variant=c6" }, accepted, "for a C6");
  await assert.rejects(
    verifyVersion({ ...statement, part: "variant=c3" }, accepted, "for a C6"),
    { cause: /^equivocation/ },
  );
});

Deno.test("CosignVerifier has another name for each policy, and the same one for the same", () => {
  const [one, other] = [new Signer().key, new Signer().key];
  const nameOf = (policy: SigningPolicy): string =>
    new CosignVerifier({
      source: new FakeSource(),
      policy,
      accepted: new AcceptedVersions(undefined),
    }).policy;
  const names = [
    policyOf([one]),
    policyOf([other]),
    policyOf([one, other]),
    policyOf([one], { minSignatures: 2 }),
    policyOf([one], { requireVersion: true }),
    policyOf([one], { annotations: { a: "b" } }),
    policyOf([one], { annotations: { a: "c" } }),
    ...(["a", /a/] as const).flatMap((identity) =>
      ["x", "y"].map((issuer) => {
        const sigstore = { verify: () => ({ identity: "", issuer: "" }) };
        return policyOf([one], { keyless: { identity, issuer, trustedRoot: "{}", sigstore } });
      })
    ),
  ].map(nameOf);
  assert.equal(new Set(names).size, names.length);
  assert.equal(nameOf(policyOf([other, one, other])), nameOf(policyOf([one, other])));
  const annotations = { a: "1", b: "2" };
  assert.equal(
    nameOf(policyOf([one], { annotations })),
    nameOf(policyOf([{ ...one, name: "moved.pub" }], { annotations: { b: "2", a: "1" } })),
  );
});

Deno.test("CosignVerifier passes over a manifest of SHA-512 without a tag of v2", async () => {
  const source = new FakeSource();
  const digest = `sha512:${"0".repeat(128)}` as Digest;
  const policy = policyOf([signer.key]);
  const accepted = new AcceptedVersions(undefined);
  const verifier = new CosignVerifier({ source, policy, accepted });
  const documents = [{ digest, bytes: utf8("{}") }];
  await assert.rejects(verifier.verify("esp32", { tag: "1", version: "1", documents }), {
    code: "signature-invalid",
  });
  assert.deepEqual(source.calls, ["listReferrers"]);
});
