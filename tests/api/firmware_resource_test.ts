import assert from "node:assert/strict";
import fc from "fast-check";
import { Downloads } from "../../src/api/downloads.ts";
import { MemoryReader } from "../../src/store/memory.ts";
import { apiOf, firmwareOf, MODIFIED } from "../helpers/api.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { readMultipart } from "../helpers/multipart.ts";

const TARGET = "/firmware?device=esp32";
const bytes = firmwareBytes(5000);
const firmware = firmwareOf(bytes);
const ETAG = `"${firmware.sha256}"`;
const api = apiOf(bytes, firmware);

function ask(headers: Record<string, string>, method = "GET"): Promise<Response> {
  return Promise.resolve(api.request(TARGET, { method, headers }));
}

Deno.test("GET /firmware answers a range with 206, its place and its length", async () => {
  const response = await ask({ range: "bytes=100-199" });
  assert.equal(response.status, 206);
  assert.deepEqual(Object.fromEntries(response.headers), {
    ...{ "content-type": "application/octet-stream", "content-length": "100" },
    ...{ "content-range": "bytes 100-199/5000", "etag": ETAG, "cache-control": "no-cache" },
    ...{ "last-modified": MODIFIED.toUTCString(), "x-firmware-version": "1.2.3" },
    "x-firmware-crc32": String(firmware.crc32),
  });
  assert.deepEqual(await response.bytes(), bytes.slice(100, 200));
});

Deno.test("GET /firmware answers bytes=0- with 206, and a range behind the end with 416", async () => {
  const all = await ask({ range: "bytes=0-" });
  assert.deepEqual([all.status, all.headers.get("content-range")], [206, "bytes 0-4999/5000"]);
  assert.deepEqual(await all.bytes(), bytes);
  const none = await ask({ range: "bytes=5000-" });
  assert.deepEqual([none.status, none.headers.get("content-range")], [416, "bytes */5000"]);
  assert.match(await none.text(), /^Firmware has 5000 bytes, [^\n]*\n\n$/);
});

Deno.test("GET /firmware answers several ranges with a part for each, as RFC 9110, 14.6 wants", async () => {
  const response = await ask({ range: "bytes=10-19, 4990-, 0-0" });
  assert.equal(response.status, 206);
  assert.equal(response.headers.get("content-range"), null);
  const body = await response.bytes();
  assert.equal(response.headers.get("content-length"), String(body.length));
  const type = "application/octet-stream";
  assert.deepEqual(readMultipart(response.headers.get("content-type") ?? "", body), [
    { range: "bytes 10-19/5000", type, bytes: bytes.slice(10, 20) },
    { range: "bytes 4990-4999/5000", type, bytes: bytes.slice(4990) },
    { range: "bytes 0-0/5000", type, bytes: bytes.slice(0, 1) },
  ]);
});

Deno.test("GET /firmware answers one range of several that is there without parts", async () => {
  const response = await ask({ range: "bytes=9000-, 1-2" });
  assert.equal(response.headers.get("content-range"), "bytes 1-2/5000");
  assert.deepEqual(await response.bytes(), bytes.slice(1, 3));
});

Deno.test("GET /firmware never sends more than the whole firmware, whatever ranges are asked for", async () => {
  const place = fc.nat({ max: 1100 });
  const spec = fc.tuple(place, fc.option(place, { nil: undefined }))
    .map(([first, more]) => `${first}-${more === undefined ? "" : first + more}`);
  const small = bytes.slice(0, 1000);
  const router = apiOf(small);
  await fc.assert(
    fc.asyncProperty(fc.array(spec, { minLength: 1, maxLength: 70 }), async (specs) => {
      const response = await router.request(TARGET, { headers: { range: `bytes=${specs}` } });
      const body = await response.bytes();
      if (response.status === 416) return;
      assert.equal(response.headers.get("content-length"), String(body.length));
      const type = response.headers.get("content-type") ?? "";
      assert.ok(body.length <= small.length);
      if (response.status === 200) return assert.deepEqual(body, small);
      assert.equal(response.status, 206);
      const range = response.headers.get("content-range");
      const parts = range === null ? readMultipart(type, body) : [{ range, bytes: body }];
      for (const part of parts) {
        const [, first, last] = /^bytes (\d+)-(\d+)\/1000$/.exec(part.range) ?? [];
        assert.deepEqual(part.bytes, small.slice(Number(first), Number(last) + 1));
      }
    }),
  );
});

Deno.test("GET /firmware looks at a range only where If-Range names this very firmware", async () => {
  const range = "bytes=100-199";
  const same = await ask({ range, "if-range": ETAG });
  assert.equal(same.status, 206);
  // The client has them from before (RFC 9110, 15.3.7).
  assert.equal(same.headers.get("last-modified"), null);
  assert.equal(same.headers.get("etag"), ETAG);
  assert.deepEqual(await same.bytes(), bytes.slice(100, 200));
  for (const other of [`W/${ETAG}`, `"x"`, MODIFIED.toUTCString()]) {
    const response = await ask({ range, "if-range": other });
    assert.equal(response.status, 200, other);
    assert.deepEqual(await response.bytes(), bytes);
  }
});

for (const method of ["GET", "HEAD"]) {
  Deno.test(`${method} /firmware answers what is not modified with 304 and the validator`, async () => {
    for (
      const [name, value] of [
        ["if-none-match", ETAG],
        ["if-none-match", "*"],
        ["if-modified-since", MODIFIED.toUTCString()],
      ] as const
    ) {
      // The conditions go before the range.
      const response = await ask({ [name]: value, range: "bytes=9000-" }, method);
      assert.equal(response.status, 304, name);
      assert.deepEqual(Object.fromEntries(response.headers), {
        ...{ "etag": ETAG, "cache-control": "no-cache" },
      });
      assert.equal(response.body, null);
    }
  });

  Deno.test(`${method} /firmware answers a condition that fails with 412`, async () => {
    for (
      const [name, value] of [
        ["if-match", `"x"`],
        ["if-unmodified-since", new Date(0).toUTCString()],
      ] as const
    ) {
      const response = await ask({ [name]: value, range: "bytes=1-2" }, method);
      assert.equal(response.status, 412, name);
      const body = await response.text();
      assert.equal(
        body,
        method === "HEAD" ? "" : "Firmware is 1.2.3 now, not what the request is for\n\n",
      );
    }
    const match = await ask({ "if-match": ETAG }, method);
    assert.equal(match.status, 200);
    await match.body?.cancel();
  });
}

Deno.test("HEAD /firmware does not know ranges (RFC 9110, 14.2), and tells what GET would", async () => {
  const head = await ask({ range: "bytes=0-9", "want-repr-digest": "sha-256=1" }, "HEAD");
  const get = await ask({ "want-repr-digest": "sha-256=1" });
  assert.deepEqual([head.status, head.body], [200, null]);
  assert.deepEqual(Object.fromEntries(head.headers), Object.fromEntries(get.headers));
  assert.equal(head.headers.get("content-length"), "5000");
  assert.deepEqual(await get.bytes(), bytes);
});

Deno.test("GET /firmware tells the digest of the whole to whoever wants it, also with a part", async () => {
  const digest = `sha-256=:${btoa(String.fromCharCode(...hexBytes(firmware.sha256)))}:`;
  for (const range of ["bytes=0-9", "bytes=0-9,20-29", ""]) {
    const response = await ask({ range, "want-repr-digest": "sha-512=9, sha-256=1" });
    assert.equal(response.headers.get("repr-digest"), digest);
    await response.body?.cancel();
    const unasked = await ask({ range });
    assert.equal(unasked.headers.get("repr-digest"), null);
    await unasked.body?.cancel();
  }
});

Deno.test("GET /firmware says no date of modification that lies ahead", async () => {
  const ahead = firmwareOf(bytes, { modifiedAt: new Date(Date.now() + 60_000) });
  const response = await apiOf(bytes, ahead).request(TARGET);
  assert.equal(response.headers.get("last-modified"), null);
  await response.body?.cancel();
});

Deno.test("GET /firmware without a known date says none, and is not held back by one", async () => {
  const undated = firmwareOf(bytes, { modifiedAt: new Date(0) });
  for (const target of [TARGET, TARGET.replace("firmware", "version")]) {
    const response = await apiOf(bytes, undated).request(target, {
      headers: { "if-modified-since": "Fri, 02 Jan 2026 03:04:05 GMT" },
    });
    assert.deepEqual([response.status, response.headers.get("last-modified")], [200, null]);
    await response.body?.cancel();
  }
});

Deno.test("No head of /firmware is as long as 480 bytes, whatever the version is called", async () => {
  for (const length of [5, 40, 128]) {
    const long = firmwareOf(bytes, { version: `1.0.0-${"x".repeat(length)}`, size: 2 ** 31 });
    for (const range of ["", "bytes=2147483600-2147483647", "bytes=0-9,20-29"]) {
      const response = await apiOf(bytes, long, { corsOrigins: ["https://x"] }).request(TARGET, {
        headers: { range, "want-repr-digest": "sha-256=1", "x-esp32-mode": "sketch" },
      });
      const lines = [...response.headers].map(([name, value]) => `${name}: ${value}\r\n`).join("");
      const server = "HTTP/1.1 206 Partial Content\r\ndate: Tue, 24 Nov 2026 10:47:48 GMT\r\n" +
        "connection: keep-alive\r\n\r\n";
      assert.ok(lines.length + server.length < 480, lines);
      assert.match(lines, /etag/);
      await response.body?.cancel();
    }
  }
});

for (const range of ["bytes=1000-", "bytes=1000-1999,3000-3999"]) {
  Deno.test(`GET /firmware cuts off who stops reading ${range}`, async () => {
    let nowMs = 0;
    const reader = new SlowReader(bytes);
    const downloads = new Downloads({ idleMs: 1000, now: () => nowMs });
    const response = await apiOf(bytes, firmware, {
      downloads,
      manager: {
        get: () => Promise.resolve(firmware),
        getAnnounced: () => Promise.resolve(firmware),
        open: () => Promise.resolve(reader),
        ageSeconds: () => undefined,
        isReady: () => true,
      },
    }).request(TARGET, { headers: { range } });
    assert.equal(response.status, 206);
    const taker = response.body?.getReader();
    await taker?.read();
    nowMs = 999;
    downloads.sweep();
    assert.equal(downloads.count, 1);
    nowMs = 1000;
    downloads.sweep();
    assert.deepEqual([downloads.count, reader.closed], [0, 1]);
    await assert.rejects(async () => await taker?.read());
  });
}

/** Gives a hundred bytes at once, and tells whether it was closed. */
class SlowReader extends MemoryReader {
  closed = 0;

  override close(): void {
    this.closed++;
  }

  override read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return super.read(100);
  }
}

function hexBytes(hex: string): number[] {
  return (hex.match(/../g) ?? []).map((digits) => parseInt(digits, 16));
}
