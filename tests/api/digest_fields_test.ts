import assert from "node:assert/strict";
import { reprDigest } from "../../src/api/digest_fields.ts";

// The SHA-256 of nothing.
const HEX = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const DIGEST = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";

for (
  const [field, value] of [
    ["sha-256=1", DIGEST],
    ["sha-256=10", DIGEST],
    ["sha-512=3, sha-256=10, unixsum=0", DIGEST],
    ["sha-256=1;x=y", DIGEST],
    ["sha-256=0", undefined],
    ["sha-256=11", undefined],
    ["sha-256=-1", undefined],
    ["sha-256", undefined],
    ["sha-256=:abc=:", undefined],
    ["SHA-256=1", undefined],
    ["sha-512=10", undefined],
    ["md5=10", undefined],
    ["", undefined],
    [null, undefined],
  ] as const
) {
  Deno.test(`reprDigest() answers ${field} with ${value?.slice(0, 12)}`, () => {
    assert.equal(reprDigest(field, HEX), value);
  });
}
