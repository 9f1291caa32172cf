/** What must not be taken for a signature, although whoever may push can put it there. */
import assert from "node:assert/strict";
import { CosignVerifier } from "../../src/cosign/verifier.ts";
import { AcceptedVersions } from "../../src/cosign/accepted.ts";
import type { Digest } from "../../src/digest.ts";
import { describeError, isServiceError, ServiceError } from "../../src/errors.ts";
import { imageIndex, orasArtifact } from "../helpers/artifacts.ts";
import { policyOf } from "../helpers/cosign_fixture.ts";
import { referrerOf, signatureManifest, signatureTag, Signer } from "../helpers/cosign_signer.ts";
import { FakeSource, WatchedStream } from "../helpers/fake_source.ts";
import { type Artifact, describeArtifact, manifestOf, utf8 } from "../helpers/manifest.ts";

const DEVICE = "esp32";
const SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json";
const firmware = orasArtifact(utf8("firmware"));
const other = orasArtifact(utf8("another firmware"));
const signer = new Signer();
const stranger = new Signer();

interface Repository {
  /** At the tag of Cosign v2. */
  readonly tagged?: Artifact;
  /** What refers to the firmware. */
  readonly referrers?: readonly Artifact[];
}

function sourceOf({ tagged, referrers = [] }: Repository): FakeSource {
  const source = new FakeSource();
  source.push(DEVICE, "1.0.0", firmware);
  if (tagged !== undefined) source.push(DEVICE, signatureTag(firmware), tagged);
  for (const [at, referrer] of referrers.entries()) source.push(DEVICE, `r${at}`, referrer);
  return source;
}

async function verify(source: FakeSource, device = DEVICE): Promise<void> {
  const policy = policyOf([signer.key]);
  const accepted = new AcceptedVersions(undefined);
  await new CosignVerifier({ source, policy, accepted }).verify(device, {
    tag: "1.0.0",
    version: "1.0.0",
    documents: [{ digest: firmware.digest as Digest, bytes: firmware.manifest }],
  });
}

/** Why a firmware is refused, as it stands in the log: in one line, with digest and key. */
async function reasonOf(source: FakeSource, device = DEVICE): Promise<string> {
  let reason = "";
  await assert.rejects(verify(source, device), (error) => {
    assert(isServiceError(error, "signature-invalid"), `${error}`);
    reason = describeError(error);
    return true;
  });
  assert.doesNotMatch(reason, /\n/);
  const start = `Firmware 1.0.0 of device '${device}' is not signed by whom it should be: ` +
    `${firmware.digest}: found `;
  const end = `, want 1 of signer.pub (${signer.key.id.slice(0, 8)})`;
  assert(reason.startsWith(start) && reason.endsWith(end), reason);
  return reason.slice(start.length, reason.length - end.length);
}

Deno.test("What these tests refuse, they accept where it is as it should be", async () => {
  await verify(sourceOf({ tagged: signatureManifest([signer.layer(firmware)]) }));
  await verify(sourceOf({ referrers: [signer.referrer(firmware)] }));
  await verify(
    sourceOf({ tagged: signatureManifest([signer.layer(firmware, { reference: "" })]) }),
  );
});

const nested = (depth: number): Uint8Array => utf8("[".repeat(depth) + "]".repeat(depth));
const simple = (...args: Parameters<Signer["layer"]>): Artifact =>
  signatureManifest([signer.layer(...args)]);

for (
  const [what, tagged, reason] of [
    ["no signature", undefined, "no signature"],
    ["an empty list of layers", signatureManifest([]), "no signature"],
    ["a signature by another key", signatureManifest([stranger.layer(firmware)]), /by no key/],
    ["a signature of another digest", simple(firmware, { digest: other.digest }), other.digest],
    [
      "a signature for another repository",
      simple(firmware, { reference: "registry.example/factory/esp32-other:1.0@sha256:0" }),
      'a signature for the repository "registry.example/factory/esp32-other:1.0@sha256:0"',
    ],
    [
      "a signature for a repository whose name ends alike",
      simple(firmware, { reference: "registry.example/not-esp32" }),
      /for the repository/,
    ],
    ["a signed text of another type", simple(firmware, { type: "atomic" }), /without a valid crit/],
    ["what is signed and no JSON", simple(firmware, { payload: utf8("{") }), "what is not JSON"],
    ["a signed null", simple(firmware, { payload: utf8("null") }), /without a valid form/],
    ["a signed JSON bomb", simple(firmware, { payload: nested(400_000) }), /without a valid crit/],
    [
      "a signature of more than a MiB",
      simple(firmware, { payload: new Uint8Array(1024 * 1024 + 1) }),
      "a signature of 1048577 bytes",
    ],
    [
      "a layer without the annotation",
      signatureManifest([{ ...signer.layer(firmware), annotations: { other: "x" } }]),
      "a layer without a signature",
    ],
    [
      "a signature that is not base64",
      signatureManifest([{
        ...signer.layer(firmware),
        annotations: {
          "dev.cosignproject.cosign/signature": ` ${
            signer.layer(firmware).annotations?.["dev.cosignproject.cosign/signature"]
          }`,
        },
      }]),
      "what is not base64",
    ],
    [
      "a layer of another type",
      signatureManifest([{ ...signer.layer(firmware), mediaType: "application/json" }]),
      "no signature",
    ],
    [
      "an index at the tag of signatures",
      imageIndex([simple(firmware)]),
      "an index where a signature's manifest should be",
    ],
    [
      "a blob that is not there",
      signatureManifest([{ ...signer.layer(firmware), missing: true }]),
      "No such blob",
    ],
    [
      "a blob that is not the one that the layer names",
      signatureManifest([{ ...signer.layer(firmware), claim: { digest: other.digest } }]),
      `a blob that is not ${other.digest}`,
    ],
    [
      "a manifest that is none",
      { ...simple(firmware), manifest: utf8("{}") },
      /^a manifest that is not sha256:/,
    ],
    [
      "51 layers, of which the last would be valid",
      signatureManifest([
        ...Array.from({ length: 50 }, () => stranger.layer(firmware)),
        signer.layer(firmware),
      ]),
      "50 times a signature by no key that counts",
    ],
    [
      "what Cosign has signed with a private key that is no signature but a bundle",
      signatureManifest([{
        ...signer.layer(firmware),
        mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
      }]),
      /without a valid mediaType/,
    ],
  ] as const
) {
  Deno.test(`CosignVerifier takes for no signature of v2: ${what}`, async () => {
    const found = await reasonOf(sourceOf(tagged === undefined ? {} : { tagged }));
    if (typeof reason === "string") assert(found.includes(reason), found);
    else assert.match(found, reason);
  });
}

for (
  const [what, referrer, reason] of [
    ["a bundle by another key", stranger.referrer(firmware), "a signature by no key that counts"],
    [
      "a bundle of another digest",
      signer.referrer(firmware, {
        statement: { subject: [{ digest: { sha256: "0".repeat(64) } }] },
      }),
      `a signature of "sha256,${"0".repeat(64)}"`,
    ],
    [
      "a bundle of nothing",
      signer.referrer(firmware, { statement: { subject: [] } }),
      "a signature of nothing",
    ],
    [
      "provenance by the same key",
      signer.referrer(firmware, { statement: { predicateType: "https://slsa.dev/provenance/v1" } }),
      'a statement of the type "https://slsa.dev/provenance/v1", which is no signature',
    ],
    [
      "a statement of another kind",
      signer.referrer(firmware, { statement: { _type: "https://example.com" } }),
      "a signature without a valid _type",
    ],
    [
      "an envelope of another type, truly signed",
      signer.referrer(firmware, { payloadType: "application/json" }),
      'an envelope of the type "application/json"',
    ],
    [
      "an envelope of two signatures",
      signer.referrer(firmware, { signatures: 2 }),
      "an envelope of 2 signatures",
    ],
    [
      "an envelope of no signature",
      signer.referrer(firmware, { signatures: 0 }),
      "an envelope of 0 signatures",
    ],
    [
      "a bundle of an earlier version",
      signer.referrer(firmware, {
        members: { mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.2" },
      }),
      'a bundle of the type "application/vnd.dev.sigstore.bundle+json;version=0.2"',
    ],
    [
      "a bundle of a later version",
      signer.referrer(firmware, {
        members: { mediaType: "application/vnd.dev.sigstore.bundle.v0.9+json" },
      }),
      /a bundle of the type/,
    ],
    [
      "a bundle of both a key and a certificate",
      signer.referrer(firmware, {
        members: { verificationMaterial: { publicKey: {}, certificate: { rawBytes: "" } } },
      }),
      "a bundle that is of neither a key nor a certificate",
    ],
    [
      "a bundle by a certificate where only keys count",
      signer.referrer(firmware, {
        members: { verificationMaterial: { certificate: { rawBytes: "" } } },
      }),
      "a signature by a certificate",
    ],
    [
      "a bundle with a signature besides",
      signer.referrer(firmware, { members: { messageSignature: { signature: "" } } }),
      "a bundle that does not hold one signature",
    ],
    [
      "a signature of the manifest by another key",
      signer.referrer(firmware, {
        members: {
          dsseEnvelope: undefined,
          messageSignature: { signature: stranger.sign(firmware.manifest) },
        },
      }),
      "a signature by no key that counts",
    ],
    [
      "a bundle that is a JSON bomb",
      referrerOf(firmware, nested(400_000)),
      /without a valid mediaT/,
    ],
    [
      "a referrer without layers",
      manifestOf({ subject: describeArtifact(firmware) }),
      "no signature",
    ],
    [
      "a referrer that is a JSON bomb",
      manifestOf({
        subject: describeArtifact(firmware),
        members: { layers: JSON.parse("[".repeat(3000) + "]".repeat(3000)) },
      }),
      /no image manifest/,
    ],
  ] as const
) {
  Deno.test(`CosignVerifier takes for no signature of v3: ${what}`, async () => {
    const found = await reasonOf(sourceOf({ referrers: [referrer] }));
    if (typeof reason === "string") assert(found.includes(reason), found);
    else assert.match(found, reason);
  });
}

Deno.test("CosignVerifier takes a device's signature for no other device", async () => {
  const tagged = signatureManifest([signer.layer(firmware)]);
  const source = sourceOf({ tagged });
  source.push("esp32-pro", signatureTag(firmware), tagged);
  assert.match(await reasonOf(source, "esp32-pro"), /for the repository "registry.example\/esp32"/);
  await verify(sourceOf({
    tagged: signatureManifest([signer.layer(firmware, { reference: "mirror.example:5000/esp32" })]),
  }));
});

Deno.test("CosignVerifier does not ask for a payload that claims 100 MiB", async () => {
  const layer = { ...signer.layer(firmware), claim: { size: 100 * 1024 * 1024 } };
  const source = sourceOf({ tagged: signatureManifest([layer]) });
  assert.match(await reasonOf(source), /a signature of 104857600 bytes/);
  assert(!source.calls.includes("openBlob"));
});

Deno.test("CosignVerifier lets go of a payload that is longer than its layer says", async () => {
  const source = sourceOf({ tagged: signatureManifest([signer.layer(firmware)]) });
  const stream = new WatchedStream(new Uint8Array(100 * 1024 * 1024));
  source.openBlob = () => Promise.resolve(stream.stream);
  assert.match(await reasonOf(source), /a blob of more than \d+ bytes/);
  await stream.cancelled;
  assert(stream.delivered <= 64 * 1024);
});

Deno.test("CosignVerifier finds a signature among junk", async () => {
  const junk = Array.from({ length: 60 }, (_, at) =>
    manifestOf({
      artifactType: "application/vnd.example.junk",
      subject: describeArtifact(firmware),
      layers: [{ mediaType: SIMPLE_SIGNING, bytes: utf8(`${at}`) }],
    }));
  const broken = referrerOf(firmware, utf8("{"));
  await verify(sourceOf({ referrers: [...junk, broken, signer.referrer(firmware)] }));
  await verify(sourceOf({
    referrers: junk,
    tagged: signatureManifest([stranger.layer(firmware), signer.layer(firmware)]),
  }));
});

Deno.test("CosignVerifier looks at no more than 50 bundles, and says a few things of them", async () => {
  const referrers = Array.from(
    { length: 60 },
    (_, at) =>
      signer.referrer(firmware, { statement: { predicateType: `https://example.com/${at}` } }),
  );
  const source = sourceOf({ referrers });
  const found = await reasonOf(source);
  assert.match(found, /, 45 other things$/);
  assert(found.length < 1000);
  assert.equal(source.calls.filter((call) => call === "openBlob").length, 50);
});

Deno.test("CosignVerifier passes over a referrer that claims to be large", async () => {
  const source = sourceOf({});
  const { digest } = signer.referrer(firmware);
  source.listReferrers = () =>
    Promise.resolve([{ mediaType: "", digest: digest as Digest, size: 2 ** 40 }]);
  assert.match(await reasonOf(source), /a referrer of 1099511627776 bytes/);
});

Deno.test("CosignVerifier does not call a firmware unsigned while the source cannot be asked", async () => {
  const outage = new ServiceError("source-unavailable", "Registry is away");
  const source = sourceOf({});
  source.listReferrers = () => Promise.reject(outage);
  await assert.rejects(verify(source), outage);
  const signed = sourceOf({ tagged: signatureManifest([signer.layer(firmware)]) });
  signed.listReferrers = () => Promise.reject(outage);
  await verify(signed);
});
