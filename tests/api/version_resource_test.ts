import assert from "node:assert/strict";
import { apiOf, firmwareOf, MODIFIED } from "../helpers/api.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";

const bytes = firmwareBytes(1000);
const firmware = firmwareOf(bytes, {
  crc32: 0xff,
  annotations: { "org.opencontainers.image.title": "Garden" },
  files: ["boot.bin", "app.bin"],
});
const api = apiOf(bytes, firmware);
const TEXT = "1.2.3\n255\n1000";

const OBJECT = {
  device: "a/b",
  version: "1.2.3",
  tag: "v1.2.3",
  size: 1000,
  crc32: 255,
  crc32Hex: "000000ff",
  sha256: firmware.sha256,
  md5: firmware.md5,
  digest: firmware.digest,
  url: "/firmware?device=a%2Fb&version=1.2.3",
  created: "2026-01-02T03:04:05.000Z",
  annotations: { "org.opencontainers.image.title": "Garden" },
  files: ["boot.bin", "app.bin"],
};

for (
  const [accept, isJson] of [
    [undefined, false],
    ["*/*", false],
    ["text/plain", false],
    ["image/png", false],
    ["application/json", true],
    ["application/json, text/plain, */*", true],
    ["application/json;q=0.5, text/plain", false],
    ["text/html, application/json;q=0.9", true],
  ] as const
) {
  Deno.test(`GET /version with Accept: ${accept} is ${isJson ? "an object" : "text"}`, async () => {
    const headers = accept === undefined ? {} : { accept };
    const response = await api.request("/version?device=a/b", { headers });
    assert.equal(response.headers.get("vary"), "Accept");
    const type = isJson ? "application/json" : "text/plain; charset=utf-8";
    assert.equal(response.headers.get("content-type"), type);
    const body = await response.text();
    if (isJson) assert.deepEqual(JSON.parse(body), OBJECT);
    else assert.equal(body, TEXT);
  });
}

Deno.test("GET /version.json is the object, whatever is accepted", async () => {
  const response = await api.request("/version.json?device=a/b", {
    headers: { accept: "text/plain" },
  });
  assert.equal(response.headers.get("vary"), null);
  assert.deepEqual(await response.json(), OBJECT);
});

for (const target of ["/version?device=a", "/version.json?device=a"]) {
  for (const method of ["GET", "HEAD"]) {
    Deno.test(`${method} ${target} answers 304 to the tag of its own form, and 412 to another`, async () => {
      const first = await api.request(target, { method });
      const etag = first.headers.get("etag") ?? "";
      assert.match(etag, /^"[^"]+"$/);
      const headers = { "if-none-match": `"x", ${etag}` };
      const again = await api.request(target, { method, headers });
      assert.deepEqual([again.status, again.body], [304, null]);
      assert.equal(again.headers.get("etag"), etag);
      const since = { "if-modified-since": MODIFIED.toUTCString() };
      assert.equal((await api.request(target, { method, headers: since })).status, 304);
      const other = await api.request(target, { method, headers: { "if-match": `"x"` } });
      assert.equal(other.status, 412);
    });
  }
}

Deno.test("The two forms have two tags, and so has another firmware of the same version", async () => {
  const other = apiOf(bytes, { ...firmware, crc32: 0xfe });
  const tags = await Promise.all(
    [api, other].flatMap((api) =>
      ["/version?device=a", "/version.json?device=a"].map(async (target) =>
        (await api.request(target)).headers.get("etag")
      )
    ),
  );
  assert.equal(new Set(tags).size, 4);
});
