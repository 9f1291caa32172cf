import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { packTar } from "modern-tar";
import type { Digest } from "../../src/digest.ts";
import { ServiceError } from "../../src/errors.ts";
import type { LayerForm } from "../../src/firmware/artifact.ts";
import { type FirmwareContent, storeContent } from "../../src/firmware/content.ts";
import { WatchedStream } from "../helpers/fake_source.ts";
import { crc32Reference, firmwareBytes } from "../helpers/firmware_bytes.ts";
import { digestOf } from "../helpers/manifest.ts";
import { WatchedStore } from "../helpers/stored.ts";

const firmware = firmwareBytes(20_000);
const tar = await tarOf(firmware);
const BLOBS = {
  plain: firmware,
  gzipped: new Uint8Array(gzipSync(firmware)),
  zstded: new Uint8Array(zstdCompressSync(firmware)),
  tar,
  "tar.gz": new Uint8Array(gzipSync(tar)),
  "tar.zst": new Uint8Array(zstdCompressSync(tar)),
} as const;

function tarOf(body: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return packTar([{ header: { name: "firmware.bin", size: body.length, type: "file" }, body }]);
}

interface BlobOptions {
  readonly form: LayerForm;
  readonly maxBytes?: number;
  readonly algorithm?: "sha256" | "sha512";
  /** What the descriptor is of. @default the blob that is delivered */
  readonly promised?: Uint8Array;
}

/** What a blob became, with the bytes that the store then has. */
type Read = FirmwareContent & {
  readonly bytes: Uint8Array | undefined;
  readonly layerSha256: string;
  readonly layerBytes: Uint8Array | undefined;
};

interface ReadOptions extends BlobOptions {
  readonly promised: Uint8Array;
  /** Where the firmware goes. @default a store that keeps no layers */
  readonly store?: WatchedStore;
}

/** Stores a blob; whatever comes of it, no draft may be left. */
async function read(blob: WatchedStream, options: ReadOptions): Promise<Read> {
  const { promised, form, maxBytes = 100_000, algorithm, store = new WatchedStore() } = options;
  const digest = digestOf(promised, algorithm) as Digest;
  const layer = { mediaType: "", digest, size: promised.length };
  try {
    const stored = await storeContent(blob.stream, { layer, form, maxBytes, store });
    const { content, layerSha256 } = stored;
    const bytes = await store.bytes(content.sha256);
    return { ...content, bytes, layerSha256, layerBytes: await store.bytes(layerSha256) };
  } catch (error) {
    assert.deepEqual(store.committed, [], "nothing is stored of what failed");
    throw error;
  } finally {
    assert.equal(store.open, 0, "every draft is committed or discarded");
  }
}

async function readBytes(
  bytes: Uint8Array,
  options: BlobOptions & { readonly store?: WatchedStore },
): Promise<Read> {
  return await read(new WatchedStream(bytes), { promised: bytes, ...options });
}

for (
  const [form, blob, expected] of [
    ["raw", "plain", "the blob"],
    ["raw", "gzipped", "the blob"],
    ["raw", "zstded", "the blob"],
    ["raw", "tar", "the blob"],
    ["raw", "tar.gz", "the blob"],
    ["raw", "tar.zst", "the blob"],
    ["archive", "tar", "the file"],
    ["archive", "tar.gz", "the file"],
    ["archive", "tar.zst", "the file"],
    ["sniff", "plain", "the blob"],
    ["sniff", "gzipped", "the blob"],
    ["sniff", "zstded", "the blob"],
    ["sniff", "tar", "the file"],
    ["sniff", "tar.gz", "the file"],
    ["sniff", "tar.zst", "the file"],
  ] as const
) {
  Deno.test(`storeContent() of a ${blob} blob as ${form} is ${expected}`, async () => {
    const { bytes } = await readBytes(BLOBS[blob], { form });
    assert.deepEqual(bytes, expected === "the blob" ? BLOBS[blob] : firmware);
  });
}

for (const blob of ["tar", "tar.gz", "tar.zst"] as const) {
  Deno.test(`storeContent() stores a ${blob} layer beside its file where the store wants it`, async () => {
    for (const algorithm of ["sha256", "sha512"] as const) {
      for (const form of ["archive", "sniff"] as const) {
        const store = new WatchedStore({ keepsLayers: true });
        const stored = await readBytes(BLOBS[blob], { form, algorithm, store });
        assert.deepEqual(stored.bytes, firmware);
        assert.deepEqual(stored.layerBytes, BLOBS[blob]);
        assert.equal(`sha256:${stored.layerSha256}`, digestOf(BLOBS[blob]));
        assert.deepEqual(store.committed, [stored.layerSha256, stored.sha256]);
      }
    }
  });
}

Deno.test("storeContent() stores once what is layer and firmware", async () => {
  for (const keepsLayers of [false, true]) {
    const store = new WatchedStore({ keepsLayers });
    const { sha256, layerSha256 } = await readBytes(firmware, { form: "sniff", store });
    assert.equal(layerSha256, sha256);
    assert.deepEqual(store.committed, [sha256]);
  }
});

Deno.test("storeContent() leaves nothing of a layer whose archive is refused", async () => {
  for (const name of ["plain", "tar"] as const) {
    const blob = BLOBS[name];
    const delivered = name === "tar" ? blob.subarray(0, -1) : blob;
    const store = new WatchedStore({ keepsLayers: true });
    await assert.rejects(
      read(new WatchedStream(delivered), { promised: blob, form: "archive", store }),
      { code: "artifact-invalid" },
    );
  }
});

for (const blob of ["plain", "gzipped", "zstded"] as const) {
  Deno.test(`storeContent() refuses a ${blob} blob that must be an archive`, async () => {
    await assert.rejects(readBytes(BLOBS[blob], { form: "archive" }), {
      code: "artifact-invalid",
    });
  });
}

Deno.test("storeContent() computes size, CRC-32, SHA-256 and MD5 of the firmware, not of the blob", async () => {
  for (const algorithm of ["sha256", "sha512"] as const) {
    for (const form of ["raw", "sniff", "archive"] as const) {
      const blob = form === "archive" ? BLOBS["tar.gz"] : firmware;
      const { bytes, size, crc32, sha256, md5 } = await readBytes(blob, { form, algorithm });
      assert.deepEqual({ size, crc32, sha256, md5 }, {
        size: firmware.length,
        crc32: crc32Reference(firmware),
        sha256: createHash("sha256").update(firmware).digest("hex"),
        md5: createHash("md5").update(firmware).digest("hex"),
      });
      assert.equal(bytes?.length, firmware.length);
    }
  }
});

Deno.test("storeContent() has the same result for all sizes and all chunks", async () => {
  const chunkSizes = fc.array(
    fc.oneof(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 1, max: 65_536 })),
    { minLength: 1, maxLength: 8 },
  );
  const cases = fc.record({
    size: fc.oneof(fc.integer({ min: 1, max: 1200 }), fc.integer({ min: 1, max: 20_000 })),
    seed: fc.nat(1000),
    form: fc.constantFrom("raw", "archive", "sniff"),
    pack: fc.constantFrom("none", "gzip", "zstd"),
    chunkSizes,
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ size, seed, form, pack, chunkSizes }) => {
      const expected = firmwareBytes(size, seed);
      const inner = form === "archive" ? await tarOf(expected) : expected;
      const compress = {
        none: (bytes: Uint8Array) => bytes,
        gzip: gzipSync,
        zstd: zstdCompressSync,
      };
      const blob = form === "archive" ? compress[pack](inner) : inner;
      const watched = new WatchedStream(blob, { chunkSizes });
      const content = await read(watched, { promised: blob, form });
      assert.equal(content.size, size);
      assert.equal(content.crc32, crc32Reference(expected));
      assert.deepEqual(content.bytes, expected);
    }),
    { numRuns: 150 },
  );
});

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const result = bytes.slice();
  result[at] = (result[at] ?? 0) ^ 1;
  return result;
}

for (const [form, name] of [["raw", "plain"], ["sniff", "plain"], ["archive", "tar"]] as const) {
  const blob: Uint8Array = BLOBS[name];
  const longer = new Uint8Array(blob.length + 1);
  longer.set(blob);
  for (
    const [what, delivered, message] of [
      ["one byte short", blob.subarray(0, -1), /ended after|truncated|no readable/],
      ["one byte long", longer, /is longer than/],
      ["flipped by a bit at its beginning", flipped(blob, 600), /has the digest/],
      ["flipped by a bit at its end", flipped(blob, 19_000), /has the digest/],
    ] as const
  ) {
    for (const chunkSize of [1000, 100_000]) {
      Deno.test(`storeContent() as ${form} refuses a blob ${what}, ${chunkSize} bytes at a time`, async () => {
        const watched = new WatchedStream(delivered, { chunkSizes: [chunkSize] });
        await assert.rejects(read(watched, { promised: blob, form }), {
          code: "artifact-invalid",
          message,
        });
      });
    }
  }

  Deno.test(`storeContent() as ${form} hands out nothing of a blob that breaks off`, async () => {
    const error = new ServiceError("source-timeout", "No progress");
    const watched = new WatchedStream(blob.subarray(0, 5000), { chunkSizes: [100], error });
    await assert.rejects(read(watched, { promised: blob, form }), (thrown) => thrown === error);
    const broken = new WatchedStream(blob.subarray(0, 5000), { error: new TypeError("reset") });
    await assert.rejects(read(broken, { promised: blob, form }), { code: "source-unavailable" });
  });

  Deno.test(`storeContent() as ${form} lets go of a blob without end`, async () => {
    const endless = new Uint8Array(1_000_000);
    endless.set(blob);
    const watched = new WatchedStream(endless, { chunkSizes: [1000] });
    await assert.rejects(read(watched, { promised: blob, form }), { code: "artifact-invalid" });
    await watched.cancelled;
    assert(watched.delivered <= blob.length + 1000, `${watched.delivered} bytes were read`);
  });
}

Deno.test("storeContent() lets go of an archive that it refuses", async () => {
  const files = ["a", "b"].map((name) => ({
    header: { name, size: 500_000, type: "file" as const },
    body: firmwareBytes(500_000),
  }));
  const blob = await packTar(files);
  const watched = new WatchedStream(blob, { chunkSizes: [1000] });
  await assert.rejects(read(watched, { promised: blob, form: "archive" }), {
    code: "artifact-invalid",
    message: "File in the layer has 500000 bytes, want 100000 at most",
  });
  await watched.cancelled;
  assert(watched.delivered < blob.length / 2, `${watched.delivered} bytes were read`);
});

Deno.test("storeContent() verifies the blob although its archive ends before it", async () => {
  // Blocks of zeros, as some tools fill a tape record.
  const padded = new Uint8Array(tar.length + 600 * 512);
  padded.set(tar);
  const promised = padded.slice();
  padded[padded.length - 1] = 1;
  await assert.rejects(
    read(new WatchedStream(padded, { chunkSizes: [1000] }), { promised, form: "archive" }),
    { code: "artifact-invalid" },
  );
  const { size } = await readBytes(promised, { form: "archive" });
  assert.equal(size, firmware.length);
});

for (const [what, garbage] of [["small", 100], ["large", 400_000]] as const) {
  Deno.test(`storeContent() refuses a tar and a tar.gz with ${what} garbage behind`, async () => {
    for (const name of ["tar", "tar.gz"] as const) {
      const blob = new Uint8Array([...BLOBS[name], ...firmwareBytes(garbage)]);
      for (const chunkSize of [1000, 1_000_000]) {
        const watched = new WatchedStream(blob, { chunkSizes: [chunkSize] });
        await assert.rejects(read(watched, { promised: blob, form: "archive" }), {
          code: "artifact-invalid",
        });
      }
    }
  });
}

Deno.test("storeContent() hands out nothing where the unpacker stops before the blob ends", async () => {
  // gunzip takes zeros behind a member for the end, and reads no further.
  const blob = new Uint8Array(BLOBS["tar.gz"].length + 2_000_000);
  blob.set(BLOBS["tar.gz"]);
  const watched = new WatchedStream(blob, { chunkSizes: [1000] });
  await assert.rejects(read(watched, { promised: blob, form: "archive" }), {
    code: "artifact-invalid",
    message: /goes on behind its archive/,
  });
  await watched.cancelled;
});

Deno.test("storeContent() refuses a small blob that unpacks to a large file", async () => {
  const bomb = gzipSync(await tarOf(new Uint8Array(5_000_000)));
  assert(bomb.length < 10_000);
  await assert.rejects(readBytes(bomb, { form: "sniff" }), {
    code: "artifact-invalid",
    message: "File in the layer has 5000000 bytes, want 100000 at most",
  });
});

Deno.test("storeContent() refuses what is too large once it is clear that it is no archive", async () => {
  const { size } = await readBytes(firmware, { form: "sniff", maxBytes: firmware.length });
  assert.equal(size, firmware.length);
  await assert.rejects(readBytes(firmware, { form: "sniff", maxBytes: firmware.length - 1 }), {
    code: "artifact-invalid",
    message: "Firmware has 20000 bytes, want 19999 at most",
  });
});
