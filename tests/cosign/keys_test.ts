import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { readPublicKey, UnusableKey } from "../../src/cosign/keys.ts";
import { KNOWN_GOOD_BUNDLE } from "../../src/cosign/known_good.ts";
import { Signer } from "../helpers/cosign_signer.ts";
import { utf8 } from "../helpers/manifest.ts";

const data = utf8("what is signed");

interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const PAIRS: Readonly<Record<string, KeyPair>> = {
  "P-256": generateKeyPairSync("ec", { namedCurve: "P-256" }),
  "P-384": generateKeyPairSync("ec", { namedCurve: "P-384" }),
  "P-521": generateKeyPairSync("ec", { namedCurve: "P-521" }),
  "RSA": generateKeyPairSync("rsa", { modulusLength: 2048 }),
  "Ed25519": generateKeyPairSync("ed25519"),
};

function pemOf(key: KeyObject): string {
  return `${key.export({ type: "spki", format: "pem" })}`;
}

for (
  const [type, hash, wanted] of [
    ["P-256", "sha256", true],
    ["P-256", "sha512", false],
    ["P-384", "sha384", true],
    ["P-384", "sha256", true],
    ["P-384", "sha512", false],
    ["P-521", "sha512", true],
    ["P-521", "sha384", false],
    ["RSA", "sha256", true],
    ["RSA", "sha512", false],
    ["RSA", "sha1", false],
    ["Ed25519", null, true],
  ] as const
) {
  Deno.test(`A ${type} key ${wanted ? "verifies" : "refuses"} a signature by ${hash}`, async () => {
    const pair = PAIRS[type];
    assert(pair !== undefined);
    const key = readPublicKey(pemOf(pair.publicKey), "a.pub");
    const signature = sign(hash, data, pair.privateKey);
    assert.equal(await key.verify(data, signature), wanted);
    assert.equal(await key.verify(utf8("another"), signature), false);
    assert.equal(await key.verify(data, new Uint8Array()), false);
    assert.equal(await key.verify(data, signature.subarray(1)), false);
  });
}

Deno.test("An RSA key refuses a signature with the padding PSS", async () => {
  const { privateKey, publicKey } = PAIRS.RSA ?? assert.fail();
  const signature = sign("sha256", data, { key: privateKey, padding: 6, saltLength: 32 });
  assert.equal(await readPublicKey(pemOf(publicKey), "a.pub").verify(data, signature), false);
});

Deno.test("A P-521 key verifies a signature by SHA-256, which Deno itself does not", async () => {
  // Of `openssl dgst -sha256 -sign`.
  const signature = Buffer.from(P521_SHA256.signature, "base64");
  const key = readPublicKey(P521_SHA256.pem, "a.pub");
  assert.equal(await key.verify(data, signature), true);
  assert.equal(await key.verify(utf8("another"), signature), false);
  assert.equal(
    await readPublicKey(pemOf(PAIRS["P-521"]?.publicKey ?? assert.fail()), "b.pub")
      .verify(data, signature),
    false,
  );
});

const P521_SHA256 = {
  pem: `-----BEGIN PUBLIC KEY-----
MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBBh1srinGRjnpAulRXyn/13t4r5ei
WdrPRGg3K4ip59CNBlTnfksVV4NajvKb9KBMnlIqvfQqiGC7HjghaEetuOgBUgLh
JQSdi/27CmT3kNC7AfBAmZOvegmlDQcMxuvEPHXMMs03JrJx8MJh3ttBuiEFhyE3
87jstwlgC4yaFZzVN+c=
-----END PUBLIC KEY-----
`,
  signature:
    "MIGIAkIBVaTglGdIj+RBXe0jUasqY6BUMU8nLyv22lnk6oDSLqRR0JZ18MNS6N4tIFc3HzlYUpipud82KdWybxuk17ZJL4MCQgC+EBoEfsd7PcitGydcSqPoQL4Y0K064ZflpbhMHurhapkBfzOrUIzpANiHjmQSezm1EmWq5TxgVKe1mB1r1+1Q4A==",
};

Deno.test("A key has the same id however its file is written", () => {
  const { pem } = new Signer();
  const one = readPublicKey(pem, "one.pub");
  const other = readPublicKey(`\n${pem.replaceAll("\n", "\r\n")}\n`, "other.pub");
  assert.equal(one.id, other.id);
  assert.match(one.id, /^[0-9a-f]{64}$/);
  assert.notEqual(one.id, new Signer().key.id);
});

const rsa = (modulusLength: number): string =>
  pemOf(generateKeyPairSync("rsa", { modulusLength }).publicKey);

for (
  const [what, pem, message] of [
    ["a private key", new Signer().privatePem, /^is a private key, want the public one/],
    ["a private key behind a public one", new Signer().pem + new Signer().privatePem, /private/],
    [
      "Cosign's encrypted private key",
      "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----",
      /private/,
    ],
    [
      "two keys in one file",
      new Signer().pem + new Signer().pem,
      /^is no public key in PEM, want one key as cosign /,
    ],
    ["a certificate", certificatePem(), /^is a certificate, want a public key; .*-identity$/],
    ["nothing", "", /^is no public key in PEM, want one key as cosign /],
    [
      "what is no key in PEM",
      "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
      /can be read, want one key /,
    ],
    ["a short RSA key", rsa(1024), /^is an RSA key of 1024 bits, want /],
    ["an RSA key for PSS", pssPem(), /^is no public key that can be read, /],
    ["a key of another curve", new Signer("secp256k1").pem, /^is of the curve secp256k1, want /],
    ["a key that cannot sign", pemOf(generateKeyPairSync("x25519").publicKey), /type x25519, want/],
  ] as const
) {
  Deno.test(`readPublicKey() refuses ${what}`, () => {
    assert.throws(() => readPublicKey(pem, "a.pub"), (error) => {
      assert(error instanceof UnusableKey);
      assert.match(error.message, message);
      return true;
    });
  });
}

/** An RSA key that names PSS as its only padding (RFC 4055, 1.2). */
function pssPem(): string {
  const spki = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey
    .export({ type: "spki", format: "der" });
  // The algorithm's last arc: 1 is rsaEncryption, 10 is RSASSA-PSS; its parameters are absent.
  const oid = spki.indexOf(Buffer.from("2a864886f70d010101", "hex"));
  spki[oid + 8] = 10;
  return `-----BEGIN PUBLIC KEY-----\n${spki.toString("base64")}\n-----END PUBLIC KEY-----\n`;
}

function certificatePem(): string {
  const { verificationMaterial: { certificate } } = JSON.parse(KNOWN_GOOD_BUNDLE);
  return `-----BEGIN CERTIFICATE-----\n${certificate.rawBytes}\n-----END CERTIFICATE-----\n`;
}
