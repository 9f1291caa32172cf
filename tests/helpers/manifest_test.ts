import assert from "node:assert/strict";
import { firmwareBytes } from "./firmware_bytes.ts";
import { digestOf, manifestOf } from "./manifest.ts";

Deno.test("manifestOf() stores true bytes under the digest that is claimed for them", () => {
  const digest = digestOf(firmwareBytes(4, 2));
  const artifact = manifestOf({
    layers: [
      { mediaType: "a/b", bytes: firmwareBytes(4), claim: { digest, size: 5 } },
      { mediaType: "a/b", bytes: firmwareBytes(4, 3), missing: true },
    ],
    members: { schemaVersion: 1, config: undefined },
  });
  const manifest = JSON.parse(new TextDecoder().decode(artifact.manifest));
  assert.deepEqual(artifact.blobs.get(digest), firmwareBytes(4));
  assert.equal(manifest.layers[0]?.size, 5);
  assert.equal(artifact.blobs.get(manifest.layers[1]?.digest ?? ""), undefined);
  assert.equal("config" in manifest, false);
});
