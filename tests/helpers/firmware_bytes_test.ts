import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { crc32Reference, firmwareBytes } from "./firmware_bytes.ts";
import { digestOf } from "./manifest.ts";

Deno.test("crc32Reference() has the check value of CRC-32/IEEE and agrees with zlib", () => {
  assert.equal(crc32Reference(new TextEncoder().encode("123456789")), 0xcbf43926);
  for (const size of [0, 1, 255, 4096, 100_001]) {
    assert.equal(crc32Reference(firmwareBytes(size)), crc32(firmwareBytes(size)));
  }
});

Deno.test("firmwareBytes() depends on size and seed alone", () => {
  assert.equal(firmwareBytes(0).length, 0);
  assert.equal(firmwareBytes(1001).length, 1001);
  assert.deepEqual(firmwareBytes(1001, 7), firmwareBytes(1001, 7));
  const digests = Array.from({ length: 50 }, (_, seed) => digestOf(firmwareBytes(64, seed)));
  assert.equal(new Set(digests).size, digests.length);
  assert.equal(firmwareBytes(64)[0], 0xe9);
});
