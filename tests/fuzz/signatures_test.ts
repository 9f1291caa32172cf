/**
 * What says that firmware is signed: `tests/cosign/mutations_test.ts` asks whether damage is ever
 * accepted, this asks the readers alone, far more often.
 */
import assert from "node:assert/strict";
import { readBundle } from "../../src/cosign/bundle.ts";
import { bundleOfAnnotations } from "../../src/cosign/certificate_annotations.ts";
import { KNOWN_GOOD_BUNDLE } from "../../src/cosign/known_good.ts";
import { loadSigstore } from "../../src/cosign/sigstore.ts";
import { readPayload } from "../../src/cosign/simple_signing.ts";
import { readStatement } from "../../src/cosign/statement.ts";
import { Unacceptable } from "../../src/cosign/unacceptable.ts";
import { CosignFixture, trustedRoot } from "../helpers/cosign_fixture.ts";
import { damagedBytes, damagedText, fuzz } from "../helpers/fuzz.ts";
import { utf8 } from "../helpers/manifest.ts";
import { below, oneOf, restructure } from "../helpers/mutations.ts";

function blobsOf(name: string): readonly Uint8Array[] {
  const fixture = new CosignFixture(name);
  return fixture.signatureBlobs().map((digest) => fixture.blobs.get(digest) ?? new Uint8Array());
}

const BUNDLES = [
  ...["v3-p256", "v3-message", "v3-several"].flatMap(blobsOf),
  utf8(KNOWN_GOOD_BUNDLE),
];
const PAYLOADS = ["v2-p256", "v2-annotated"].flatMap(blobsOf);
const { digest } = new CosignFixture("v2-p256");
const ANNOTATIONS = [...new CosignFixture("keyless-annotations").manifests.values()]
  .flatMap(({ bytes }) => JSON.parse(new TextDecoder().decode(bytes)).layers ?? [])
  .map(({ annotations }) => annotations)
  .filter((annotations) => annotations?.["dev.sigstore.cosign/certificate"] !== undefined);

function damaged(samples: readonly Uint8Array[], random: () => number): Uint8Array<ArrayBuffer> {
  const sample = oneOf(samples, random);
  return random() < 0.3 ? damagedBytes(sample, random) : restructure(sample, random);
}

function acceptable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    assert(error instanceof Unacceptable, `${error}`);
    assert(error.message.length < 1000 && !/[\r\n]/.test(error.message), error.message);
    return undefined;
  }
}

fuzz("a bundle is taken apart, or is Unacceptable", (random) => {
  const bundle = acceptable(() => readBundle(damaged(BUNDLES, random)));
  const statement = bundle?.statement;
  if (statement !== undefined) acceptable(() => readStatement(statement, digest));
});

fuzz("a payload of simple signing is of this digest and device, or is Unacceptable", (random) => {
  const payload = damaged(PAYLOADS, random);
  const claim = acceptable(() => readPayload(payload, { digest, device: "esp32" }));
  if (claim !== undefined) assert(new TextDecoder().decode(payload).includes(digest));
});

fuzz("annotations with a certificate become a bundle, or are Unacceptable", (random) => {
  const annotations = { ...oneOf(ANNOTATIONS, random) };
  const name = oneOf(Object.keys(annotations), random);
  annotations[name] = random() < 0.5
    ? damagedText([annotations[name]], random)
    : new TextDecoder().decode(damagedBytes(utf8(annotations[name]), random));
  acceptable(() => bundleOfAnnotations(utf8("{}"), annotations));
});

const sigstore = await loadSigstore(trustedRoot());
const [CERTIFICATE = ""] = /(?<="rawBytes":\s*")[^"]+/.exec(KNOWN_GOOD_BUNDLE) ?? [];

fuzz("what the library is given verifies, or is Unacceptable", (random) => {
  let text = KNOWN_GOOD_BUNDLE;
  if (random() < 0.5) {
    const der = damagedBytes(Uint8Array.from(atob(CERTIFICATE), (c) => c.charCodeAt(0)), random);
    text = text.replace(CERTIFICATE, btoa(String.fromCharCode(...der)));
  } else text = new TextDecoder().decode(restructure(utf8(text), random));
  acceptable(() => {
    let bundle: unknown;
    try {
      bundle = JSON.parse(text);
    } catch {
      return;
    }
    sigstore.verify(bundle, new Uint8Array(below(3, random)));
  });
}, { fraction: 10 });
