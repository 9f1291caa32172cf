/**
 * Signatures made by the real Cosign, as `tests/fixtures/cosign/` keeps them, behind a source.
 *
 * @module
 */

import type { Digest } from "../../src/digest.ts";
import { ServiceError } from "../../src/errors.ts";
import { AcceptedVersions } from "../../src/cosign/accepted.ts";
import type { SignatureSource } from "../../src/cosign/discovery.ts";
import { KNOWN_GOOD_BUNDLE } from "../../src/cosign/known_good.ts";
import { readPublicKey, type VerificationKey } from "../../src/cosign/keys.ts";
import type { SigningPolicy } from "../../src/cosign/policy.ts";
import { CosignVerifier, type SignedFirmware } from "../../src/cosign/verifier.ts";
import {
  type DeliveredManifest,
  type Descriptor,
  parseReferrers,
  referrersTag,
} from "../../src/oci.ts";
import {
  type Artifact,
  type Bytes,
  describeArtifact,
  digestOf,
  manifestOf,
  utf8,
} from "./manifest.ts";

const FOLDER = new URL("../fixtures/cosign/", import.meta.url);

/** The device that all fixtures are for. */
export const FIXTURE_DEVICE = "esp32";

/** All fixtures, by the format of what was signed and how it is found. */
export const FIXTURES: readonly string[] = [...Deno.readDirSync(FOLDER)]
  .map(({ name }) => name)
  .filter((name) => /^v[23]-.*\.json$/.test(name))
  .map((name) => name.replace(/\.json$/, ""))
  .toSorted();

/** What `make.ts` wrote. */
interface FixtureFile {
  readonly digest: Digest;
  readonly publicKeys: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
  readonly manifests: Readonly<Record<string, { readonly mediaType: string; text: string }>>;
  readonly blobs: Readonly<Record<string, string>>;
  readonly referrers?: readonly Descriptor[];
}

/** A repository as Cosign left it, which a test may change. */
export class CosignFixture implements SignatureSource {
  /** The digest that the tag points to. */
  readonly digest: Digest;
  /** Digests by tag. */
  readonly tags: Map<string, string>;
  /** Manifests by what the registry says that their digest is. */
  readonly manifests: Map<string, { readonly mediaType: string; readonly bytes: Bytes }>;
  /** Blobs, likewise. */
  readonly blobs: Map<string, Bytes>;
  /** What the referrers API says; without it the tag decides. */
  referrers: readonly Descriptor[] | undefined;
  /** What was asked for, in order. */
  readonly asked: string[] = [];
  readonly #file: FixtureFile;

  /** @param name One of {@linkcode FIXTURES}, or what one would hold. */
  constructor(name: string | FixtureFile) {
    const file = typeof name === "string" ? readFixture(name) : name;
    this.#file = file;
    this.digest = file.digest;
    this.tags = new Map(Object.entries(file.tags));
    this.manifests = new Map(
      Object.entries(file.manifests).map(([digest, { mediaType, text }]) => [
        digest,
        { mediaType, bytes: utf8(text) },
      ]),
    );
    this.blobs = new Map(
      Object.entries(file.blobs).map(([digest, text]) => [digest, utf8(text)]),
    );
    this.referrers = file.referrers;
  }

  /** The keys that have signed; where the fixture does not name them, the one of all others. */
  keys(): readonly VerificationKey[] {
    const { publicKeys } = this.#file;
    const names = Object.keys(publicKeys);
    if (names.length === 0) return [fixtureKey("p256"), fixtureKey("ed25519")];
    return names.map((name) => readPublicKey(publicKeys[name] ?? "", `${name}.pub`));
  }

  /** What is to be verified: the documents that the tag leads to. */
  firmware(version = "1.0.0"): SignedFirmware {
    const top = this.#document(this.digest);
    const { manifests } = JSON.parse(new TextDecoder().decode(top.bytes));
    const documents = manifests === undefined ? [top] : [top, this.#document(manifests[0].digest)];
    return { tag: version, version, documents };
  }

  /** All that the repository holds, to be pushed elsewhere; with a tag where there is one. */
  artifacts(): readonly { readonly tag: string | undefined; readonly artifact: Artifact }[] {
    return [...this.manifests].map(([digest, { mediaType, bytes }]) => {
      const tag = [...this.tags].find(([, tagged]) => tagged === digest)?.[0];
      return { tag, artifact: { mediaType, manifest: bytes, digest, blobs: this.blobs } };
    });
  }

  /** Digests of the layers that hold signatures. */
  signatureBlobs(): readonly string[] {
    return [...this.manifests.values()].flatMap(({ bytes }) => {
      const { layers = [] } = JSON.parse(new TextDecoder().decode(bytes));
      return layers
        .filter(({ mediaType }: Descriptor) => /simplesigning|sigstore\.bundle/.test(mediaType))
        .map(({ digest }: Descriptor) => digest);
    });
  }

  /** Changes a blob, and all that names it: as whoever may push could. */
  reseal(digest: string, bytes: Bytes): void {
    const resealed = digestOf(bytes);
    this.blobs.set(resealed, bytes);
    for (const [name, { bytes: manifest }] of [...this.manifests]) {
      const document = JSON.parse(new TextDecoder().decode(manifest));
      const layer = document.layers?.find((layer: Descriptor) => layer.digest === digest);
      if (layer === undefined) continue;
      Object.assign(layer, { digest: resealed, size: bytes.length });
      this.resealManifest(name, utf8(JSON.stringify(document)));
    }
  }

  /** Changes a manifest, and all that names it. */
  resealManifest(digest: string, bytes: Bytes): void {
    const { mediaType } = this.manifests.get(digest) ?? { mediaType: "" };
    const resealed = digestOf(bytes);
    this.manifests.set(resealed, { mediaType, bytes });
    for (const [tag, tagged] of this.tags) if (tagged === digest) this.tags.set(tag, resealed);
    const claim = { digest: resealed as Digest, size: bytes.length };
    this.referrers = this.referrers?.map((entry) =>
      entry.digest === digest ? { ...entry, ...claim } : entry
    );
    const list = this.tags.get(referrersTag(this.digest));
    const index = this.manifests.get(list ?? "");
    if (list === undefined || index === undefined || list === resealed) return;
    const document = JSON.parse(new TextDecoder().decode(index.bytes));
    const entry = document.manifests.find((entry: Descriptor) => entry.digest === digest);
    if (entry === undefined) return;
    Object.assign(entry, claim);
    this.resealManifest(list, utf8(JSON.stringify(document)));
  }

  listReferrers(_device: string, digest: Digest): Promise<readonly Descriptor[]> {
    this.asked.push(`referrers ${digest}`);
    if (this.referrers !== undefined) return Promise.resolve(this.referrers);
    const list = this.manifests.get(this.tags.get(referrersTag(digest)) ?? "");
    return Promise.resolve().then(() => list === undefined ? [] : parseReferrers(list.bytes));
  }

  fetchManifest(_device: string, reference: string): Promise<DeliveredManifest> {
    this.asked.push(`manifest ${reference}`);
    const digest = this.tags.get(reference) ?? reference;
    const manifest = this.manifests.get(digest);
    return manifest === undefined
      ? Promise.reject(new ServiceError("firmware-unknown", "No such manifest"))
      : Promise.resolve({ ...manifest, claimedDigest: digest as Digest });
  }

  openBlob(_device: string, { digest }: Descriptor): Promise<ReadableStream<Uint8Array>> {
    this.asked.push(`blob ${digest}`);
    const bytes = this.blobs.get(digest);
    return bytes === undefined
      ? Promise.reject(new ServiceError("artifact-invalid", "No such blob"))
      : Promise.resolve(new Blob([bytes]).stream());
  }

  #document(digest: string): { digest: Digest; bytes: Bytes } {
    const manifest = this.manifests.get(digest);
    if (manifest === undefined) throw new Error(`The fixture has no ${digest}`);
    return { digest: digest as Digest, bytes: manifest.bytes };
  }
}

const texts = new Map<string, string>();

function readFixture(name: string): FixtureFile {
  const text = texts.get(name) ?? Deno.readTextFileSync(new URL(`${name}.json`, FOLDER));
  texts.set(name, text);
  return JSON.parse(text);
}

/**
 * The bundle of an image that was signed without a key, as Cosign v3 attaches it. The image itself
 * is not here: nothing but its digest is signed.
 */
export function keylessFixture(): CosignFixture {
  const bundle = JSON.parse(KNOWN_GOOD_BUNDLE);
  const { subject: [subject] } = JSON.parse(atob(bundle.dsseEnvelope.payload));
  const digest = `sha256:${subject.digest.sha256}` as Digest;
  const referrer = manifestOf({
    layers: [{ mediaType: bundle.mediaType, bytes: utf8(KNOWN_GOOD_BUNDLE) }],
  });
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return new CosignFixture({
    digest,
    publicKeys: {},
    tags: {},
    manifests: {
      [digest]: { mediaType: referrer.mediaType, text: "{}" },
      [referrer.digest]: { mediaType: referrer.mediaType, text: text(referrer.manifest) },
    },
    blobs: Object.fromEntries([...referrer.blobs].map(([name, bytes]) => [name, text(bytes)])),
    referrers: [describeArtifact(referrer) as Descriptor],
  });
}

/** The text of a public key. */
export function fixturePem(name: "p256" | "ed25519"): string {
  return Deno.readTextFileSync(new URL(`${name}.pub`, FOLDER));
}

/** A public key. */
export function fixtureKey(name: "p256" | "ed25519"): VerificationKey {
  return readPublicKey(fixturePem(name), `${name}.pub`);
}

/** A trusted root, JSON: Sigstore's public one, or one of a fixture. */
export function trustedRoot(name = "trusted_root"): string {
  return Deno.readTextFileSync(new URL(`${name}.json`, FOLDER));
}

/** A policy of one signature by any of the keys, unless a test says otherwise. */
export function policyOf(
  keys: readonly VerificationKey[],
  rules: Partial<SigningPolicy> = {},
): SigningPolicy {
  return {
    keys,
    keyless: undefined,
    annotations: {},
    minSignatures: 1,
    requireVersion: false,
    ...rules,
  };
}

/** Verifies what a fixture holds. */
export async function verifyFixture(
  fixture: CosignFixture,
  policy: SigningPolicy = policyOf(fixture.keys()),
  { device = FIXTURE_DEVICE, firmware = fixture.firmware() } = {},
): Promise<void> {
  const accepted = new AcceptedVersions(undefined);
  await new CosignVerifier({ source: fixture, policy, accepted }).verify(device, firmware);
}
