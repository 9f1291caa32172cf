import assert from "node:assert/strict";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { packTar, type TarEntry } from "modern-tar";
import { isServiceError, ServiceError } from "../../src/errors.ts";
import {
  type Compression,
  extractOnlyFile,
  isTarArchive,
  SNIFF_BYTES,
  sniffCompression,
} from "../../src/firmware/archive.ts";
import { WatchedStream } from "../helpers/fake_source.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { type Bytes, utf8 } from "../helpers/manifest.ts";

const MIB = 1024 * 1024;
const firmware = firmwareBytes(5000);
const COMPRESSIONS: readonly Compression[] = ["none", "gzip", "zstd"];

function compress(bytes: Uint8Array, compression: Compression): Uint8Array {
  if (compression === "none") return bytes;
  return compression === "gzip" ? gzipSync(bytes) : zstdCompressSync(bytes);
}

function file(name: string, body: Bytes = firmware): TarEntry {
  return { header: { name, size: body.length, type: "file" }, body };
}

function entry(name: string, type: "directory" | "symlink" | "link" | "fifo"): TarEntry {
  return { header: { name, size: 0, type, ...(type.endsWith("link") && { linkname: "x" }) } };
}

function concat(...parts: readonly Uint8Array[]): Bytes {
  const result = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

interface Extracted {
  /** The file's chunks joined. */
  readonly bytes: Uint8Array;
  /** The sizes that `open` was called with. */
  readonly opened: readonly number[];
}

async function extract(
  chunks: AsyncIterable<Uint8Array>,
  { compression = "none", maxBytes = 10_000 }: { compression?: Compression; maxBytes?: number } =
    {},
): Promise<Extracted> {
  const parts: Uint8Array[] = [];
  const opened: number[] = [];
  await extractOnlyFile(chunks, {
    compression,
    maxBytes,
    open: (size) => {
      opened.push(size);
      return Promise.resolve((chunk) => {
        parts.push(chunk.slice());
        return Promise.resolve();
      });
    },
  });
  return { bytes: concat(...parts), opened };
}

function invalid(message: RegExp): (error: unknown) => boolean {
  return (error) => isServiceError(error, "artifact-invalid") && message.test(error.message);
}

for (const compression of COMPRESSIONS) {
  for (
    const [what, entries] of [
      ["at the root", [file("firmware.bin")]],
      ["under ./", [entry("./", "directory"), file("./firmware.bin")]],
      ["with a leading slash", [file("/firmware.bin")]],
      ["in a folder", [entry("dir/", "directory"), file("dir/firmware.bin")]],
      ["with a name too long for its header", [file(`${"deep/".repeat(60)}firmware.bin`)]],
      ["with a name that climbs", [file("../../firmware.bin")]],
      [
        "among folders, links and pipes",
        [
          entry("a/", "directory"),
          entry("latest", "symlink"),
          file("firmware.bin"),
          entry("other", "link"),
          entry("pipe", "fifo"),
          entry("z/", "directory"),
        ],
      ],
    ] as const
  ) {
    Deno.test(`extractOnlyFile() unpacks a file ${what}, compression ${compression}`, async () => {
      const archive = compress(await packTar([...entries]), compression);
      for (const chunkSize of [1, 511, 100_000]) {
        const { stream } = new WatchedStream(archive, { chunkSizes: [chunkSize] });
        const { bytes, opened } = await extract(stream, { compression });
        assert.deepEqual(bytes, firmware.slice());
        assert.deepEqual(opened, [firmware.length]);
      }
    });
  }

  for (
    const [what, entries, message] of [
      ["two files", [file("a"), file("b")], /several files/],
      ["the same file twice", [file("a"), file("a")], /several files/],
      ["a file and an empty one", [file("a"), file("b", utf8(""))], /several files/],
      ["nothing", [], /without a file/],
      ["folders and links only", [entry("a/", "directory"), entry("b", "link")], /without a file/],
      ["an empty file", [file("a", utf8(""))], /empty file/],
      ["a file one byte too large", [file("a", firmwareBytes(10_001))], /10001 bytes, want 10000/],
    ] as const
  ) {
    Deno.test(`extractOnlyFile() refuses ${what}, compression ${compression}`, async () => {
      const archive = compress(await packTar([...entries]), compression);
      await assert.rejects(
        extract(new WatchedStream(archive).stream, { compression }),
        invalid(message),
      );
    });
  }

  Deno.test(`extractOnlyFile() takes a file of exactly the limit, compression ${compression}`, async () => {
    const archive = compress(await packTar([file("a", firmwareBytes(10_000))]), compression);
    const { bytes } = await extract(new WatchedStream(archive).stream, { compression });
    assert.equal(bytes.length, 10_000);
  });

  Deno.test(`extractOnlyFile() refuses what is cut anywhere, compression ${compression}`, async () => {
    const archive = compress(await packTar([file("a")]), compression);
    // Plain, a cut behind the last block of the file takes only the mark of the end away.
    const lastCut = compression === "none" ? 512 + 5119 : archive.length - 1;
    for (const length of [1, 200, 600, 2000, lastCut]) {
      const { stream } = new WatchedStream(archive.subarray(0, length));
      await assert.rejects(extract(stream, { compression }), { code: "artifact-invalid" });
    }
  });

  Deno.test(`extractOnlyFile() refuses what is no archive, compression ${compression}`, async () => {
    const { stream } = new WatchedStream(compress(firmware, compression));
    await assert.rejects(extract(stream, { compression }), invalid(/no readable tar archive/));
  });

  Deno.test(`extractOnlyFile() passes on the error of its chunks, compression ${compression}`, async () => {
    const archive = compress(await packTar([file("a")]), compression);
    const error = new ServiceError("source-timeout", "No progress");
    const { stream } = new WatchedStream(archive.subarray(0, 1000), { error });
    await assert.rejects(extract(stream, { compression }), (thrown) => thrown === error);
  });
}

Deno.test("extractOnlyFile() reads an archive of several gzip members", async () => {
  const tar = await packTar([file("a")]);
  const cuts = [0, 3, 700, 701, 4000, tar.length];
  const members = cuts.slice(1).map((end, at) => gzipSync(tar.subarray(cuts[at], end)));
  for (const chunkSize of [1, 100, 100_000]) {
    const { stream } = new WatchedStream(concat(...members), { chunkSizes: [chunkSize] });
    const { bytes } = await extract(stream, { compression: "gzip" });
    assert.deepEqual(bytes, firmware.slice());
  }
});

/** Passed over by whoever uncompresses: a table of contents, or what pzstd puts before each frame. */
const SKIPPABLE_FRAME = new Uint8Array([0x5c, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);

for (
  const [what, begin, end] of [
    ["frames alone", [], []],
    ["a table of contents behind them", [], [SKIPPABLE_FRAME, SKIPPABLE_FRAME]],
    ["a skippable one at the beginning", [SKIPPABLE_FRAME], []],
  ] as const
) {
  Deno.test(`extractOnlyFile() reads an archive of several zstd frames, ${what}`, async () => {
    const tar = await packTar([file("a")]);
    const cuts = [0, 3, 700, 701, 4000, tar.length];
    const frames = cuts.slice(1).map((end, at) => zstdCompressSync(tar.subarray(cuts[at], end)));
    const archive = concat(...begin, ...frames, ...end);
    assert.equal(sniffCompression(archive), "zstd");
    assert.equal(await isTarArchive(archive), true);
    for (const chunkSize of [1, 100, 100_000]) {
      const { stream } = new WatchedStream(archive, { chunkSizes: [chunkSize] });
      const { bytes } = await extract(stream, { compression: "zstd" });
      assert.deepEqual(bytes, firmware.slice());
    }
  });
}

Deno.test("extractOnlyFile() refuses what is no frame behind one of zstd", async () => {
  const archive = concat(zstdCompressSync(await packTar([file("a")])), utf8("no frame of zstd"));
  for (const chunkSize of [1, 100, 100_000]) {
    const { stream } = new WatchedStream(archive, { chunkSizes: [chunkSize] });
    await assert.rejects(extract(stream, { compression: "zstd" }), { code: "artifact-invalid" });
  }
});

Deno.test("extractOnlyFile() takes zeros behind an archive: tar pads what it writes", async () => {
  const archive = concat(await packTar([file("a")]), new Uint8Array(10_240));
  assert.equal((await extract(new WatchedStream(archive).stream)).bytes.length, firmware.length);
});

for (
  const [what, compression, at] of [
    ["in a tar header", "none", 150],
    ["in the middle of gzip", "gzip", 2500],
    ["in the CRC of gzip", "gzip", -6],
  ] as const
) {
  Deno.test(`extractOnlyFile() refuses an archive that was damaged ${what}`, async () => {
    const archive = concat(compress(await packTar([file("a")]), compression));
    const index = at < 0 ? archive.length + at : at;
    archive[index] = (archive[index] ?? 0) ^ 0x10;
    await assert.rejects(
      extract(new WatchedStream(archive).stream, { compression }),
      invalid(/no readable tar archive/),
    );
  });
}

Deno.test("extractOnlyFile() refuses data behind the end of a tar", async () => {
  const archive = concat(await packTar([file("a")]), firmwareBytes(600));
  await assert.rejects(extract(new WatchedStream(archive).stream), { code: "artifact-invalid" });
});

Deno.test("extractOnlyFile() unpacks no more of a bomb than the limit allows", async () => {
  // 1 GiB of zeros in 1024 members: what is read tells how far it was unpacked.
  const zeros = gzipSync(new Uint8Array(MIB));
  const bomb = concat(
    gzipSync(await packTar([file("a")])),
    ...Array.from({ length: 1024 }, () => zeros),
  );
  const watched = new WatchedStream(bomb, { chunkSizes: [500] });
  await assert.rejects(
    extract(watched.stream, { compression: "gzip" }),
    invalid(/unpacks to more than/),
  );
  await watched.cancelled;
  assert(watched.delivered < bomb.length / 10, `${watched.delivered} bytes were read`);
});

Deno.test("extractOnlyFile() refuses a file too large by its header, before its bytes", async () => {
  const opened: number[] = [];
  const large = gzipSync(await packTar([file("a", firmwareBytes(4 * MIB))]));
  const archive = new WatchedStream(large, { chunkSizes: [500] });
  await assert.rejects(
    extractOnlyFile(archive.stream, {
      compression: "gzip",
      maxBytes: MIB,
      open: (size) => {
        opened.push(size);
        return Promise.resolve(() => Promise.resolve());
      },
    }),
    invalid(/has 4194304 bytes, want 1048576 at most/),
  );
  assert.deepEqual(opened, []);
  await archive.cancelled;
  assert(archive.delivered < large.length / 10, `${archive.delivered} bytes were read`);
});

for (
  const [expected, head] of [
    ["gzip", [0x1f, 0x8b, 8]],
    ["zstd", [0x28, 0xb5, 0x2f, 0xfd, 0]],
    ["none", [0x1f]],
    ["none", [0x28, 0xb5, 0x2f]],
    ["none", [0xe9, 0x1f, 0x8b]],
    ["none", []],
  ] as const
) {
  Deno.test(`sniffCompression() says ${expected} for the bytes [${head.join(" ")}]`, () => {
    assert.equal(sniffCompression(new Uint8Array(head)), expected);
  });
}

Deno.test("isTarArchive() knows archives from files, by as much as is sniffed", async () => {
  const large = await packTar([file("a", firmwareBytes(2 * MIB))]);
  for (const compression of COMPRESSIONS) {
    const head = compress(large, compression).subarray(0, SNIFF_BYTES);
    assert.equal(await isTarArchive(head), true, compression);
    const other = compress(firmwareBytes(2 * MIB), compression).subarray(0, SNIFF_BYTES);
    assert.equal(await isTarArchive(other), false, compression);
    const tiny = compress(utf8("OK"), compression);
    assert.equal(await isTarArchive(tiny), false, compression);
  }
  assert.equal(await isTarArchive(new Uint8Array()), false);
  assert.equal(await isTarArchive(new Uint8Array([0x1f, 0x8b])), false);
});

/** A header block of old GNU's, with its checksum, for kinds that no writer makes any more. */
function gnuHeader(name: string, kind: string, size: number): Uint8Array {
  const block = new Uint8Array(512);
  const put = (text: string, at: number): void => block.set(utf8(text), at);
  put(name, 0);
  put("0000644\0", 100);
  put(`${size.toString(8).padStart(11, "0")}\0`, 124);
  put(kind, 156);
  put("ustar  \0", 257);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

for (const [what, kind] of [["a sparse file", "S"], ["a volume label", "V"], ["a part", "M"]]) {
  Deno.test(`extractOnlyFile() refuses ${what} of GNU's rather than serve its map`, async () => {
    const archive = new Uint8Array(512 * 4);
    archive.set(gnuHeader("firmware.bin", kind ?? "", 512));
    const { stream } = new WatchedStream(archive);
    await assert.rejects(extract(stream, { compression: "none" }), {
      code: "artifact-invalid",
      message: "Layer is an archive with an entry of an unknown kind",
    });
  });
}

Deno.test("extractOnlyFile() refuses a sparse file of PAX rather than serve its map", async () => {
  const sparse = file("firmware.bin");
  const header = { ...sparse.header, pax: { "GNU.sparse.major": "1", "GNU.sparse.minor": "0" } };
  const archive = await packTar([{ ...sparse, header }]);
  await assert.rejects(extract(new WatchedStream(archive).stream, { compression: "none" }), {
    code: "artifact-invalid",
    message: "Layer is an archive of a sparse file, want a plain one",
  });
});

Deno.test("extractOnlyFile() passes over the whiteouts of an image", async () => {
  const archive = await packTar([file("etc/.wh.old", new Uint8Array()), file("firmware.bin")]);
  const { bytes } = await extract(new WatchedStream(archive).stream, { compression: "none" });
  assert.notEqual(bytes.length, 0);
});

/** Writes a size that is none into the header of an entry, whose checksum then holds. */
function withoutSize(tar: Bytes, at: number): Bytes {
  const damaged = tar.slice();
  damaged.set([0x81], at + 124);
  damaged.fill(0x20, at + 148, at + 156);
  const sum = damaged.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
  damaged.set(utf8(`${sum.toString(8).padStart(6, "0")}\0 `), at + 148);
  return damaged;
}

Deno.test("extractOnlyFile() does not wait for an entry whose size is no number", async () => {
  for (
    const [entries, at] of [[[file("a")], 0], [[entry("a/", "directory"), file("b")], 0]] as const
  ) {
    const tar = withoutSize(await packTar([...entries]), at);
    const pieces = ReadableStream.from([tar.slice(0, 600), tar.slice(600)]);
    await assert.rejects(extract(pieces), invalid(/entry of no size/));
  }
});
