import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import * as v from "valibot";
import { Digester, digestOf, digestSchema, isDigest } from "../src/digest.ts";
import { utf8 } from "./helpers/manifest.ts";

const HEX = "0123456789abcdef";
const SHA256 = `sha256:${"0".repeat(64)}` as const;
const SHA512 = `sha512:${"0".repeat(128)}` as const;

Deno.test("isDigest() takes what can be checked, whole and in lower case", () => {
  const hex = (length: number): fc.Arbitrary<string> =>
    fc.string({ unit: fc.constantFrom(...HEX), minLength: length, maxLength: length });
  fc.assert(fc.property(hex(64), hex(128), (short, long) => {
    assert.ok(isDigest(`sha256:${short}`));
    assert.ok(isDigest(`sha512:${long}`));
    assert.ok(!isDigest(`sha256:${long}`));
    assert.ok(!isDigest(`sha512:${short}`));
  }));
});

Deno.test("isDigest() takes nothing else", () => {
  const zeros = "0".repeat(64);
  const wrong = [
    "",
    ":",
    "sha256",
    "sha256:",
    `sha256:${zeros.slice(1)}`,
    `sha256:${zeros}0`,
    `sha256:${zeros}\n`,
    ` sha256:${zeros}`,
    `sha256:${"A".repeat(64)}`,
    `SHA256:${zeros}`,
    `sha256:${"g".repeat(64)}`,
    `sha256:../${"0".repeat(61)}`,
    `md5:${"0".repeat(32)}`,
    `constructor:${zeros}`,
    zeros,
    "latest",
  ];
  for (const text of wrong) assert.ok(!isDigest(text), JSON.stringify(text));
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => assert.ok(!isDigest(text))));
});

Deno.test("digestOf() is the digest of the algorithm that is named", () => {
  // FIPS 180-2, appendix B.1 and C.1.
  assert.equal(
    digestOf(utf8("abc")),
    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
  assert.equal(
    digestOf(utf8("abc"), SHA512),
    "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
  );
});

Deno.test("Digester does not mind in what pieces bytes come", () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 });
  fc.assert(fc.property(pieces, fc.constantFrom(SHA256, SHA512), (chunks, like) => {
    const digester = new Digester(like);
    for (const chunk of chunks) digester.update(chunk);
    const whole = Uint8Array.from(chunks.flatMap((chunk) => [...chunk]));
    const [algorithm = ""] = like.split(":");
    const expected = createHash(algorithm).update(whole).digest("hex");
    const digest = digester.finish();
    assert.equal(digest, `${algorithm}:${expected}`);
    assert.ok(isDigest(digest));
  }));
});

Deno.test("digestSchema takes digests out of documents, and no other values", () => {
  for (const digest of [SHA256, SHA512]) assert.equal(v.parse(digestSchema, digest), digest);
  for (const value of [undefined, null, 1, "", "latest", [SHA256], { digest: SHA256 }]) {
    assert(!v.is(digestSchema, value), JSON.stringify(value));
  }
});
