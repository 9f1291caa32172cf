import assert from "node:assert/strict";
import fc from "fast-check";
import { formatMessage, isSame, parseMessage } from "../../src/notifier/message.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

const FIRMWARE = {
  tag: "v1.0.0",
  version: "1.0.0",
  digest: "sha256:ab",
  size: 3,
  crc32: 4294967295,
  sha256: "cd",
} as const;

Deno.test("formatMessage() begins as the Rust OtaFlux does, and has no address of its own accord", () => {
  assert.equal(
    formatMessage("pump", FIRMWARE),
    `{"version":"1.0.0","size":3,"crc32":4294967295,"sha256":"cd","digest":"sha256:ab"}`,
  );
});

for (
  const [text, name] of [
    [formatMessage("a", FIRMWARE, "http://b"), { version: "1.0.0", digest: "sha256:ab" }],
    [`{"version":"1.0.0","size":3}`, { version: "1.0.0" }],
    [`{"version":1}`, undefined],
    [`{"size":3}`, undefined],
    ["null", undefined],
    ["", undefined],
    ["online", undefined],
    [`{"version":"${"1".repeat(5000)}"}`, undefined],
  ] as const
) {
  Deno.test(`parseMessage() reads ${text.slice(0, 40)}`, () => {
    assert.deepEqual(parseMessage(encode(text)), name);
  });
}

Deno.test("parseMessage() throws at nothing", () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void parseMessage(bytes)));
  fc.assert(fc.property(fc.json(), (text) => void parseMessage(encode(text))));
});

Deno.test("isSame() wants version and digest of both", () => {
  const name = { version: "1", digest: "sha256:ab" };
  assert.ok(isSame(name, { ...name }));
  assert.ok(!isSame(name, { ...name, version: "2" }));
  assert.ok(!isSame(name, { ...name, digest: "sha256:cd" }));
  assert.ok(!isSame(name, { version: "1" }));
  assert.ok(!isSame(undefined, undefined));
});
