/**
 * Layers: tar archives, compressed or not.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { packTar, type TarEntry } from "modern-tar";
import { isServiceError } from "../../src/errors.ts";
import { extractOnlyFile, isTarArchive, sniffCompression } from "../../src/firmware/archive.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { damagedBytes, fuzz } from "../helpers/fuzz.ts";
import { oneOf } from "../helpers/mutations.ts";

const MAX_BYTES = 4096;
const file = (name: string, size = 700): TarEntry => ({
  header: { name, size, type: "file" },
  body: firmwareBytes(size),
});
const link = (type: "symlink" | "link"): TarEntry => ({
  header: { name: "x", size: 0, type, linkname: "/etc/passwd" },
});

const TARS = await Promise.all(
  [
    [file("firmware.bin")],
    [link("symlink"), file("/etc/passwd"), link("link")],
    [file(`${"deep/".repeat(60)}firmware.bin`)],
    [file("../../a"), file("b")],
    [file("a", MAX_BYTES + 1)],
  ].map((entries) => packTar(entries)),
);

/** Makes headers hold again that were damaged: without it no reader gets far. */
function withChecksums(tar: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  for (let at = 0; at + 512 <= tar.length; at += 512) {
    const header = tar.subarray(at, at + 512);
    if (new TextDecoder().decode(header.subarray(257, 262)) !== "ustar") continue;
    header.fill(0x20, 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  }
  return tar;
}

const plain = (tar: Uint8Array): Uint8Array => tar;
const gzipped = (tar: Uint8Array): Uint8Array => gzipSync(tar, { level: 1 });

/** Two frames, as zstd:chunked has many. */
function zstdFrames(tar: Uint8Array): Uint8Array {
  return Buffer.concat(
    [tar.subarray(0, 600), tar.subarray(600)].map((part) => zstdCompressSync(part)),
  );
}

function damagedLayer(random: () => number): Uint8Array {
  let tar = damagedBytes(oneOf(TARS, random), random);
  if (random() < 0.8) tar = withChecksums(tar);
  const layer = oneOf([gzipped, zstdFrames, plain, plain], random)(tar);
  return random() < 0.3 ? damagedBytes(layer, random) : layer;
}

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1000) {
    yield await Promise.resolve(bytes.slice(at, at + 1000));
  }
}

fuzz(
  "a layer gives one file of the size that it says, within the limit, or artifact-invalid",
  async (random) => {
    const layer = damagedLayer(random);
    await isTarArchive(layer);
    const taken = { size: 0, bytes: 0, opened: 0 };
    try {
      await extractOnlyFile(
        inPieces(layer),
        {
          compression: sniffCompression(layer),
          maxBytes: MAX_BYTES,
          open: (size) => {
            taken.size = size;
            taken.opened++;
            return Promise.resolve((chunk) => {
              taken.bytes += chunk.length;
              return Promise.resolve();
            });
          },
        },
      );
      assert.equal(taken.opened, 1);
      assert.equal(taken.bytes, taken.size);
    } catch (error) {
      assert(isServiceError(error, "artifact-invalid"), `${error}`);
    }
    assert(taken.bytes <= taken.size && taken.size <= MAX_BYTES);
  },
);
