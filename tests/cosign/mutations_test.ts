/**
 * Damages what the real Cosign has signed, thousands of times: nothing of it is accepted, nothing
 * is thrown but a refusal, and it ends.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { SigningPolicy } from "../../src/cosign/policy.ts";
import { loadSigstore } from "../../src/cosign/sigstore.ts";
import type { Digest } from "../../src/digest.ts";
import { isServiceError } from "../../src/errors.ts";
import {
  CosignFixture,
  FIXTURES,
  keylessFixture,
  policyOf,
  trustedRoot,
  verifyFixture,
} from "../helpers/cosign_fixture.ts";
import { type Bytes, digestOf } from "../helpers/manifest.ts";
import { below, flipBit, oneOf, restructure, seeded } from "../helpers/mutations.ts";

/** Of each fixture. */
const MUTATIONS = 500;

type Damage = (bytes: Uint8Array, random: () => number) => Bytes;

/** Every signature counts, so that damage to one cannot hide behind another. */
function strictPolicy(fixture: CosignFixture): SigningPolicy {
  const keys = fixture.keys();
  return policyOf(keys, { minSignatures: fixture.signatureBlobs().length });
}

/** The same key signed twice: one of both would do, so only one is left. */
function withoutRepetition(fixture: CosignFixture): CosignFixture {
  const hints = new Set<string>();
  fixture.referrers = fixture.referrers?.filter(({ digest }) => {
    const [hint] = /"hint":"[^"]*"/.exec(signatureIn(fixture, digest)) ?? [digest];
    const isRepeated = hints.has(hint);
    if (isRepeated) fixture.manifests.delete(digest);
    hints.add(hint);
    return !isRepeated;
  });
  return fixture;
}

function signatureIn({ manifests, blobs }: CosignFixture, digest: string): string {
  const { layers: [layer] } = JSON.parse(new TextDecoder().decode(manifests.get(digest)?.bytes));
  return new TextDecoder().decode(blobs.get(layer.digest));
}

async function isAccepted(fixture: CosignFixture, policy: SigningPolicy): Promise<boolean> {
  try {
    await verifyFixture(fixture, policy);
    return true;
  } catch (error) {
    assert(isServiceError(error, "signature-invalid"), `${error}`);
    return false;
  }
}

/** The manifests that hold signatures. */
function signatureManifests(fixture: CosignFixture): readonly string[] {
  const blobs = fixture.signatureBlobs();
  return [...fixture.manifests].filter(([, { bytes }]) => {
    const text = new TextDecoder().decode(bytes);
    return blobs.some((digest) => text.includes(`"digest":"${digest}"`));
  }).map(([digest]) => digest);
}

/**
 * What a signature covers, and the signature: as long as they are what they were, it holds. Hints
 * that nobody signs, such as that for a key, may be anything.
 */
function signedParts(fixture: CosignFixture): string {
  const parts = [...fixture.manifests.values()].flatMap(({ bytes }) => {
    const { layers = [] } = JSON.parse(new TextDecoder().decode(bytes));
    return layers.map((layer: { digest: string; annotations?: Record<string, string> }) => {
      const signature = layer.annotations?.["dev.cosignproject.cosign/signature"];
      if (signature !== undefined) return [layer.digest, signature];
      const text = new TextDecoder().decode(fixture.blobs.get(layer.digest));
      if (!text.includes("sigstore.bundle")) return [];
      const { dsseEnvelope, messageSignature, verificationMaterial } = JSON.parse(text);
      const { payload, payloadType, signatures: [{ sig }] } = dsseEnvelope ??
        { signatures: [{ sig: messageSignature.signature }] };
      return [payload, payloadType, sig, verificationMaterial.certificate?.rawBytes];
    });
  });
  // The same one twice is the same one.
  const texts = parts.filter((part) => part.length > 0).map((part) => JSON.stringify(part));
  return [...new Set(texts)].toSorted().join("\n");
}

/** All bytes that a fixture holds. */
function contentOf({ blobs, manifests }: CosignFixture): string {
  const all = [...blobs.values(), ...[...manifests.values()].map(({ bytes }) => bytes)];
  return all.map((bytes) => Buffer.from(bytes).toString("latin1")).join("\n");
}

/** As it is in a registry: the digests are those of what was there before. */
function damageStored(fixture: CosignFixture, damage: Damage, random: () => number): void {
  if (random() < 0.5) {
    const digest = oneOf(fixture.signatureBlobs(), random);
    fixture.blobs.set(digest, damage(fixture.blobs.get(digest) ?? new Uint8Array(), random));
    return;
  }
  const digest = oneOf(signatureManifests(fixture), random);
  const manifest = fixture.manifests.get(digest);
  assert(manifest !== undefined);
  fixture.manifests.set(digest, { ...manifest, bytes: damage(manifest.bytes, random) });
}

/** As whoever may push would do it: all digests are right again. */
function damageResealed(fixture: CosignFixture, damage: Damage, random: () => number): void {
  if (random() < 0.7) {
    const digest = oneOf(fixture.signatureBlobs(), random);
    const bytes = fixture.blobs.get(digest) ?? new Uint8Array();
    fixture.blobs.delete(digest);
    fixture.reseal(digest, damage(bytes, random));
    return;
  }
  const digest = oneOf(signatureManifests(fixture), random);
  const bytes = fixture.manifests.get(digest)?.bytes ?? new Uint8Array();
  fixture.resealManifest(digest, damage(bytes, random));
  fixture.manifests.delete(digest);
}

/** Another firmware, with the signatures of this one attached to it. */
function damageFirmware(fixture: CosignFixture, damage: Damage, random: () => number): Digest {
  const before = fixture.digest;
  const bytes = damage(fixture.manifests.get(before)?.bytes ?? new Uint8Array(), random);
  const after = digestOf(bytes);
  fixture.manifests.set(after, { mediaType: "", bytes });
  for (const [tag, digest] of [...fixture.tags]) {
    fixture.tags.set(tag.replace(before.slice(7), after.slice(7)), digest);
  }
  return after as Digest;
}

for (const name of FIXTURES.filter((name) => !/attestation|index-child/.test(name))) {
  Deno.test(`No damage to ${name} is accepted`, async () => {
    const policy = strictPolicy(withoutRepetition(new CosignFixture(name)));
    assert(await isAccepted(withoutRepetition(new CosignFixture(name)), policy));
    const random = seeded([...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7));
    let harmless = 0;
    for (let turn = 0; turn < MUTATIONS; turn++) {
      const fixture = withoutRepetition(new CosignFixture(name));
      const damage = turn % 2 === 0 ? flipBit : restructure;
      const what = `${name}, mutation ${turn}`;
      const kind = below(3, random);
      if (kind === 0) {
        const before = contentOf(fixture);
        damageStored(fixture, damage, random);
        // Damage that changes nothing is none.
        if (contentOf(fixture) === before) continue;
        assert(!await isAccepted(fixture, policy), what);
      } else if (kind === 1) {
        const before = signedParts(fixture);
        damageResealed(fixture, damage, random);
        if (!await isAccepted(fixture, policy)) continue;
        assert(signedParts(fixture) === before, what);
        harmless++;
      } else {
        const digest = damageFirmware(fixture, damage, random);
        if (digest === fixture.digest) continue;
        const documents = [{
          digest,
          bytes: fixture.manifests.get(digest)?.bytes ?? new Uint8Array(),
        }];
        const firmware = { tag: "1.0.0", version: "1.0.0", documents };
        await assert.rejects(verifyFixture(fixture, policy, { firmware }), {
          code: "signature-invalid",
        });
      }
    }
    assert(harmless < MUTATIONS / 4, `${harmless} touched nothing that is signed`);
  });
}

for (
  const [what, fixtureOf, identity, issuer, rootName] of [
    [
      "a keyless bundle",
      keylessFixture,
      /^https:\/\/github\.com\/kubewarden\/.*$/,
      "https://token.actions.githubusercontent.com",
      "trusted_root",
    ],
    [
      "keyless annotations",
      () => new CosignFixture("keyless-annotations"),
      "https://ci.example/acme/esp32",
      "https://issuer.example",
      "keyless-annotations-root",
    ],
  ] as const
) {
  Deno.test(`No damage to ${what} is accepted`, async () => {
    const root = trustedRoot(rootName);
    const sigstore = await loadSigstore(root);
    const policy = policyOf([], { keyless: { identity, issuer, trustedRoot: root, sigstore } });
    assert(await isAccepted(fixtureOf(), policy));
    const random = seeded(2026);
    for (let turn = 0; turn < MUTATIONS; turn++) {
      const fixture = fixtureOf();
      const [content, parts] = [contentOf(fixture), signedParts(fixture)];
      const damage = turn % 2 === 0 ? flipBit : restructure;
      const isResealed = turn % 4 >= 2;
      if (isResealed) damageResealed(fixture, damage, random);
      else damageStored(fixture, damage, random);
      if (!await isAccepted(fixture, policy)) continue;
      // What is not signed is derived from what is, or is a hint.
      const holds = isResealed ? signedParts(fixture) === parts : contentOf(fixture) === content;
      assert(holds, `mutation ${turn}`);
    }
  });
}
