/**
 * Update clients that ship in devices, by the bytes that they send. Each test names the source that
 * the request and what is made of the answer were read in.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { orasArtifact } from "../helpers/artifacts.ts";
import { md5Of, sha256Of } from "../helpers/disk.ts";
import { espImage } from "../helpers/esp_image.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { readMultipart } from "../helpers/multipart.ts";
import { Otaflux } from "../helpers/otaflux.ts";
import { type RawAnswer, RawConnection } from "../helpers/raw_http.ts";

const TARGET = "/firmware?device=pump";

/** An image as ESP-IDF builds them, of a length that no piece divides. */
const FIRMWARE = firmwareBytes(200_001, 3);
FIRMWARE.set(espImage({ chip: 9 }));
const NEXT = firmwareBytes(180_003, 4);
const ETAG = `"${sha256Of(FIRMWARE)}"`;

interface Field {
  readonly registry: FakeRegistry;
  readonly otaflux: Otaflux;
  /** Sends the lines of one head on a connection of its own. */
  readonly ask: (...lines: readonly string[]) => Promise<RawAnswer>;
}

async function inTheField(test: (field: Field) => Promise<void>): Promise<void> {
  await using registry = new FakeRegistry();
  const annotations = { "org.opencontainers.image.description": "Runs dry no more" };
  registry.push("pump", "1.2.3", orasArtifact(FIRMWARE, { annotations }));
  await using otaflux = await Otaflux.start({
    args: ["--registry-url", registry.origin, "--refresh-interval", "0", "--cors-origin", "*"],
  });
  await test({
    registry,
    otaflux,
    ask: async (...lines) => {
      using connection = await RawConnection.open(otaflux.port);
      return await connection.ask(head(...lines));
    },
  });
}

function head(...lines: readonly string[]): string {
  return lines.map((line) => `${line}\r\n`).join("") + "\r\n";
}

/** What ESP-IDF's client adds to each request (components/esp_http_client/esp_http_client.c). */
const ESP_IDF = ["User-Agent: ESP32 HTTP Client/1.0", "Host: 10.0.0.1", "Content-Length: 0"];

Deno.test("ESP-IDF, esp_https_ota: plain, and 304 where the application says what it has", async () => {
  await inTheField(async ({ ask }) => {
    const plain = await ask(`GET ${TARGET} HTTP/1.1`, ...ESP_IDF);
    assert.equal(plain.status, 200);
    assert.equal(plain.headers.get("content-length"), String(FIRMWARE.length));
    assert.deepEqual(plain.body, FIRMWARE);
    // ESP_ERR_HTTP_NOT_MODIFIED
    const known = await ask(`GET ${TARGET} HTTP/1.1`, ...ESP_IDF, `If-None-Match: ${ETAG}`);
    assert.equal(known.status, 304);
  });
});

Deno.test("ESP-IDF, ota_resumption: insists on 206, also for what begins at 0", async () => {
  await inTheField(async ({ ask, registry }) => {
    const begun = await ask(`GET ${TARGET} HTTP/1.1`, ...ESP_IDF, "Range: bytes=0-");
    assert.equal(begun.status, 206);
    assert.equal(begun.headers.get("content-range"), `bytes 0-200000/200001`);
    assert.deepEqual(begun.body, FIRMWARE);
    registry.push("pump", "1.3.0", orasArtifact(NEXT));
    // It was cut, and goes on at what it has written: nothing in the request names the firmware.
    const rest = await ask(`GET ${TARGET} HTTP/1.1`, ...ESP_IDF, "Range: bytes=65536-");
    assert.equal(rest.status, 206);
    assert.deepEqual(rest.body, FIRMWARE.slice(65536));
    // Without a place to go on from it begins anew, with what is newest.
    const anew = await ask(`GET ${TARGET} HTTP/1.1`, ...ESP_IDF);
    assert.deepEqual(anew.body, NEXT);
  });
});

Deno.test("ESP-IDF, partial_http_download: HEAD, then pieces over one connection", async () => {
  await inTheField(async ({ otaflux, registry }) => {
    using connection = await RawConnection.open(otaflux.port);
    const size = await connection.ask(head(`HEAD ${TARGET} HTTP/1.1`, ...ESP_IDF));
    assert.deepEqual([size.status, size.headers.get("content-length")], [200, "200001"]);
    registry.push("pump", "1.3.0", orasArtifact(NEXT));
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    // Older releases ask for a last piece that ends one byte behind the image.
    for (let at = 0; at < 200_001; at += 50_000) {
      const range = `Range: bytes=${at}-${Math.min(at + 49_999, 200_001)}`;
      const piece = await connection.ask(head(`GET ${TARGET} HTTP/1.1`, ...ESP_IDF, range));
      assert.equal(piece.status, 206);
      pieces.push(new Uint8Array(piece.body));
    }
    assert.deepEqual(await new Blob(pieces).bytes(), FIRMWARE);
  });
});

Deno.test("ESP-IDF, partial_http_download: the size out of bytes=0-0 where HEAD is refused", async () => {
  await inTheField(async ({ ask }) => {
    const { status, headers, body } = await ask(
      `GET ${TARGET} HTTP/1.1`,
      ...ESP_IDF,
      "Range: bytes=0-0",
    );
    assert.deepEqual([status, headers.get("content-range")], [206, "bytes 0-0/200001"]);
    assert.deepEqual(body, FIRMWARE.slice(0, 1));
  });
});

/** What HTTPUpdate of arduino-esp32 sends (libraries/HTTPUpdate/src/HTTPUpdate.cpp). */
function arduinoEsp32(...more: readonly string[]): readonly string[] {
  return [
    `GET ${TARGET} HTTP/1.0`,
    ...["Host: 10.0.0.1:8080", "User-Agent: ESP32-http-Update", "Connection: close"],
    ...["Cache-Control: no-cache", "x-ESP32-STA-MAC: 24:0A:C4:00:00:01"],
    ...["x-ESP32-AP-MAC: 24:0A:C4:00:00:02", "x-ESP32-free-space: 1310720"],
    ...["x-ESP32-sketch-size: 719968", `x-ESP32-sketch-md5: ${"5c".repeat(16)}`],
    ...[`x-ESP32-sketch-sha256: ${"8D".repeat(32)}`, "x-ESP32-chip-size: 4194304"],
    ...["x-ESP32-sdk-version: v4.4.5", "x-ESP32-mode: sketch"],
    ...more,
  ];
}

Deno.test("Arduino, HTTPUpdate of ESP32: HTTP/1.0, verified by x-MD5, and told when it is up to date", async () => {
  await inTheField(async ({ otaflux, ask }) => {
    {
      using connection = await RawConnection.open(otaflux.port);
      const update = await connection.ask(head(...arduinoEsp32("x-ESP32-version: 1.2.2")));
      assert.equal(update.status, 200);
      assert.equal(update.headers.get("content-length"), String(FIRMWARE.length));
      assert.doesNotMatch(update.head, /transfer-encoding/i);
      assert.equal(update.headers.get("x-md5"), md5Of(update.body));
      assert.equal(update.body[0], 0xe9);
      assert.deepEqual(update.body, FIRMWARE);
      assert.ok(update.head.length < 480);
      assert.ok(await connection.isClosed());
    }
    assert.equal((await ask(...arduinoEsp32("x-ESP32-version: 1.2.3"))).status, 304);
    const same = arduinoEsp32().map((line) =>
      line.startsWith("x-ESP32-sketch-md5") ? `x-ESP32-sketch-md5: ${md5Of(FIRMWARE)}` : line
    );
    assert.equal((await ask(...same)).status, 304);
    const small = arduinoEsp32().map((line) => line.replace("1310720", "200000"));
    assert.equal((await ask(...small)).status, 413);
    const metrics = await otaflux.metrics();
    for (const version of ["1.2.2", "1.2.3"]) {
      const series = `firmware_device_polls_total{device_id="pump",version="${version}"} 1`;
      assert.ok(metrics.split("\n").includes(series), metrics);
    }
  });
});

Deno.test("Arduino, ESPhttpUpdate of ESP8266: the same in its own headers, and the version alone", async () => {
  // libraries/ESP8266httpUpdate/src/ESP8266httpUpdate.cpp
  const esp8266 = (mode: string, ...more: readonly string[]): readonly string[] => [
    `GET ${TARGET} HTTP/1.0`,
    ...["Host: 10.0.0.1", "User-Agent: ESP8266-http-Update", "Connection: close"],
    ...["x-ESP8266-Chip-ID: 1234567", "x-ESP8266-STA-MAC: 5C:CF:7F:00:00:01"],
    ...["x-ESP8266-AP-MAC: 5E:CF:7F:00:00:01", "x-ESP8266-free-space: 671744"],
    ...["x-ESP8266-sketch-size: 373940", `x-ESP8266-sketch-md5: ${"a5".repeat(16)}`],
    ...["x-ESP8266-chip-size: 4194304", "x-ESP8266-sdk-version: 2.2.1(cfd48f3)"],
    ...[`x-ESP8266-mode: ${mode}`, ...more],
  ];
  await inTheField(async ({ ask }) => {
    const update = await ask(...esp8266("sketch", "x-ESP8266-version: 1.0.0"));
    assert.deepEqual([update.status, update.headers.get("x-md5")], [200, md5Of(FIRMWARE)]);
    assert.deepEqual(update.body, FIRMWARE);
    const newest = await ask(...esp8266("sketch", "x-ESP8266-version: 1.2.3"));
    assert.equal(newest.status, 304);
    const version = await ask(...esp8266("version"));
    assert.deepEqual([version.status, version.headers.get("x-version")], [200, "1.2.3"]);
    assert.equal((await ask(...esp8266("spiffs"))).status, 404);
  });
});

Deno.test("ESPHome, update platform http_request: a manifest of known length, then the image", async () => {
  // esphome/components/http_request/update/http_request_update.cpp
  await inTheField(async ({ ask }) => {
    const host = ["Host: 10.0.0.1:8080", "User-Agent: ESPHome/2026.1.0 (https://esphome.io)"];
    const source = "http://10.0.0.1:8080/esphome/pump/manifest.json";
    const answer = await ask(
      "GET /esphome/pump/manifest.json HTTP/1.1",
      ...host,
      "Connection: close",
    );
    assert.equal(answer.status, 200);
    assert.ok(answer.head.length < 480);
    assert.equal(answer.headers.get("content-length"), String(answer.body.length));
    const manifest = JSON.parse(new TextDecoder().decode(answer.body));
    assert.deepEqual([typeof manifest.name, manifest.version], ["string", "1.2.3"]);
    const { chipFamily, ota } = manifest.builds[0];
    assert.deepEqual([chipFamily, ota.summary], ["ESP32-S3", "Runs dry no more"]);
    // As it puts the address together: from the first slash behind the host on.
    assert.ok(!ota.path.includes("http") && ota.path.startsWith("/"));
    const url = new URL(source.slice(0, source.indexOf("/", 8)) + ota.path);
    const image = await ask(`GET ${url.pathname}${url.search} HTTP/1.1`, ...host);
    assert.equal(image.headers.get("content-length"), String(FIRMWARE.length));
    assert.equal(md5Of(image.body), ota.md5);
  });
});

Deno.test("ESP Web Tools: a page of another origin reads manifest and parts", async () => {
  await inTheField(async ({ ask }) => {
    const page = ["Host: 10.0.0.1", "Origin: https://flash.example", "Accept: */*"];
    const answer = await ask("GET /esphome/pump/manifest.json HTTP/1.1", ...page);
    assert.equal(answer.headers.get("access-control-allow-origin"), "*");
    const { builds } = JSON.parse(new TextDecoder().decode(answer.body));
    assert.equal(builds[0].parts[0].offset, 0x10000);
    const part = await ask(`GET ${builds[0].parts[0].path} HTTP/1.1`, ...page);
    assert.equal(part.headers.get("access-control-allow-origin"), "*");
    assert.deepEqual(part.body, FIRMWARE);
  });
});

/** What RAUC adds to its first request (src/nbd.c, src/polling.c; names from `send-headers`). */
const RAUC = [
  ...["Host: 10.0.0.1:8080", "User-Agent: rauc/1.15.1", "Accept: */*"],
  ...["RAUC-Boot-ID: 7f1c", "RAUC-Machine-ID: 52e6", "RAUC-Serial: 1234", "RAUC-Variant: rev-b"],
  ...["RAUC-System-Version: 1.2.2", "RAUC-Transaction-ID: 8c1d", "RAUC-Uptime: 42"],
];

Deno.test("RAUC: polls by the first four bytes and the tag, then reads here and there", async () => {
  await inTheField(async ({ otaflux, ask, registry }) => {
    const magic = await ask(`GET ${TARGET} HTTP/1.1`, "Range: bytes=0-3", ...RAUC);
    assert.equal(magic.status, 206);
    assert.equal(magic.headers.get("content-range"), "bytes 0-3/200001");
    assert.match(magic.headers.get("last-modified") ?? "", /GMT$/);
    const tag = magic.headers.get("etag");
    const again = await ask(
      ...[`GET ${TARGET} HTTP/1.1`, "Range: bytes=0-3", ...RAUC, `If-None-Match: ${tag}`],
    );
    assert.equal(again.status, 304);
    // A new bundle appears while it installs: it may read nothing of that one.
    registry.push("pump", "1.3.0", orasArtifact(NEXT));
    using connection = await RawConnection.open(otaflux.port);
    for (const [first, last] of [[196_608, 200_000], [4096, 8191], [65_536, 131_071]] as const) {
      const lines = [
        `GET ${TARGET} HTTP/1.1`,
        `Range: bytes=${first}-${last}`,
        ...RAUC.slice(0, 3),
      ];
      const read = await connection.ask(head(...lines));
      assert.equal(read.status, 206);
      assert.deepEqual(read.body, FIRMWARE.slice(first, last + 1));
    }
    const next = await ask(
      ...[`GET ${TARGET} HTTP/1.1`, "Range: bytes=0-3", ...RAUC, `If-None-Match: ${tag}`],
    );
    assert.deepEqual([next.status, next.headers.get("content-range")], [206, "bytes 0-3/180003"]);
    const series = `firmware_device_polls_total{device_id="pump",version="1.2.2"} 3`;
    assert.ok((await otaflux.metrics()).split("\n").includes(series));
  });
});

Deno.test("SWUpdate, general server: 302, 404 and 503, then the image and its parts", async () => {
  // suricatta/server_general.c, doc/source/suricatta.rst, corelib/channel_curl.c
  await inTheField(async ({ ask, registry, otaflux }) => {
    const client = ["Host: 10.0.0.1:8080", "User-Agent: swupdate/2025.5", "Accept: */*"];
    const poll = (query: string): Promise<RawAnswer> =>
      ask(`GET /swupdate?${query} HTTP/1.1`, ...client);
    const offer = await poll("device=pump&current=1.2.2&hw=rev-b");
    assert.equal(offer.status, 302);
    const checksum = offer.headers.get("content-md5") ?? "";
    assert.equal(Buffer.from(checksum, "base64").toString("hex"), md5Of(FIRMWARE));
    const location = offer.headers.get("location");
    const image = await ask(`GET ${location} HTTP/1.1`, ...client);
    assert.deepEqual([image.status, image.body], [200, FIRMWARE]);
    // A delta update asks for the chunks that it lacks.
    const chunks = "Range: bytes=1000-1999,5000-5099,200000-200000";
    const delta = await ask(`GET ${location} HTTP/1.1`, chunks, ...client);
    assert.equal(delta.status, 206);
    const parts = readMultipart(delta.headers.get("content-type") ?? "", delta.body);
    assert.deepEqual(parts.map(({ range }) => range), [
      "bytes 1000-1999/200001",
      "bytes 5000-5099/200001",
      "bytes 200000-200000/200001",
    ]);
    assert.deepEqual(parts[0]?.bytes, FIRMWARE.slice(1000, 2000));
    assert.equal((await poll("device=pump&current=1.2.3")).status, 404);
    assert.equal((await poll("device=nobody&current=1.2.3")).status, 404);
    assert.equal((await poll("current=1.2.3")).status, 400);
    // Whatever strangers say, there are series of devices that exist only.
    const devices = [
      ...(await otaflux.metrics()).matchAll(/^firmware_device_polls_total\{device_id="(.*?)"/gm),
    ]
      .map(([, device]) => device);
    assert.deepEqual(new Set(devices), new Set(["pump"]));
    await registry[Symbol.asyncDispose]();
    const busy = await poll("device=somebody");
    assert.equal(busy.status, 503);
    assert.match(busy.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
  });
});
