import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { orasArtifact } from "../helpers/artifacts.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { crc32Reference, firmwareBytes } from "../helpers/firmware_bytes.ts";
import { Otaflux } from "../helpers/otaflux.ts";
import { type RawAnswer, RawConnection } from "../helpers/raw_http.ts";
import * as faults from "../helpers/registry/faults.ts";

const FIRMWARE = firmwareBytes(300_000, 3);

const text = (answer: RawAnswer): string => new TextDecoder().decode(answer.body);

async function withService(
  test: (otaflux: Otaflux, registry: FakeRegistry) => Promise<void>,
): Promise<void> {
  await using registry = new FakeRegistry();
  registry.push("pump", "1.2.3", orasArtifact(FIRMWARE));
  await using otaflux = await Otaflux.start({ args: ["--registry-url", registry.origin] });
  await test(otaflux, registry);
}

Deno.test("an answer comes in one write, with its length, in one piece and as it is", async () => {
  await withService(async ({ port }) => {
    using connection = await RawConnection.open(port);
    const headers = "Host: x\r\nAccept-Encoding: gzip, deflate, br\r\n\r\n";
    const version = await connection.ask(`\r\nGET /version?device=pump HTTP/1.1\r\n${headers}`);
    assert.equal(version.status, 200);
    assert.equal(version.reads, 1);
    assert.equal(text(version), `1.2.3\n${crc32Reference(FIRMWARE)}\n300000`);
    assert.equal(version.headers.get("content-type"), "text/plain; charset=utf-8");

    const firmware = await connection.ask(`GET /firmware?device=pump HTTP/1.1\r\n${headers}`);
    assert.equal(firmware.headers.get("content-type"), "application/octet-stream");
    assert.deepEqual(firmware.body, FIRMWARE);

    for (const { head } of [version, firmware]) {
      assert.doesNotMatch(head, /transfer-encoding|content-encoding/i);
      assert.ok(head.length < 480, head);
    }
  });
});

Deno.test("HEAD tells the true length and sends no body", async () => {
  await withService(async ({ port }) => {
    using connection = await RawConnection.open(port);
    for (const path of ["/firmware?device=pump", "/version?device=pump"]) {
      const get = await connection.ask(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
      const head = await connection.ask(`HEAD ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
      assert.equal(head.status, 200);
      assert.equal(head.headers.get("content-length"), String(get.body.length));
      assert.notEqual(get.body.length, 0);
    }
    // A body after HEAD would stand where the next answer is read.
    const next = await connection.ask("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
    assert.equal(next.status, 200);
    assert.equal(next.headers.get("content-length"), "0");
  });
});

Deno.test("every failure is a short sentence with two line breaks and a length", async () => {
  await withService(async ({ port }, registry) => {
    registry.push("broken", "1.0.0", orasArtifact(FIRMWARE));
    registry.fault({ match: { repository: "broken" }, respond: faults.status(403) });
    const cases: readonly (readonly [string, number])[] = [
      ["GET /version", 400],
      ["GET /version?device=", 400],
      ["GET /version?device=..%2f..%2fetc", 400],
      ["GET /version?device=UPPER", 400],
      ["GET /version?device=a&device=b", 400],
      [`GET /version?device=${"a".repeat(300)}`, 400],
      ["GET /version?device=%00", 400],
      ["GET /version?device=nobody", 404],
      ["GET /firmware?device=nobody", 404],
      ["GET /nothing", 404],
      ["POST /version?device=pump", 405],
      ["DELETE /firmware?device=pump", 405],
      ["GET /firmware?device=broken", 502],
    ];
    using connection = await RawConnection.open(port);
    for (const [line, status] of cases) {
      const answer = await connection.ask(`${line} HTTP/1.1\r\nHost: x\r\n\r\n`);
      assert.equal(answer.status, status, line);
      assert.match(text(answer), /^[A-Z][^\n]{5,250}\n\n$/, line);
      assert.equal(answer.headers.get("content-type"), "text/plain; charset=utf-8");
      // What esp32-home-sensor's buffer takes, head and body together.
      assert.ok(answer.head.length + answer.body.length < 1024, line);
      if (status === 405) assert.equal(answer.headers.get("allow"), "GET, HEAD");
      if (status === 502) assert.match(answer.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
    }
    assert.equal(
      text(await connection.ask("GET /version?device=nobody HTTP/1.1\r\nHost: x\r\n\r\n")),
      "No firmware for device 'nobody'\n\n",
    );
  });
});

Deno.test("nothing of a wrong device id reaches the registry", async () => {
  await withService(async ({ origin }, registry) => {
    for (const id of ["..", "../x", "a//b", "/a", "a/", "A", "a%00", "a b", "%2e%2e%2fx", "é"]) {
      const response = await fetch(`${origin}/firmware?device=${encodeURIComponent(id)}`);
      assert.equal(response.status, 400, id);
      await response.body?.cancel();
    }
    assert.deepEqual(registry.requests, []);
  });
});

Deno.test("HTTP/1.0 and a request to close are answered and the connection closed", async () => {
  await withService(async ({ port }) => {
    for (
      const request of [
        "GET /firmware?device=pump HTTP/1.0\r\n\r\n",
        "GET /firmware?device=pump HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
      ]
    ) {
      using connection = await RawConnection.open(port);
      const answer = await connection.ask(request);
      assert.deepEqual(answer.body, FIRMWARE);
      assert.doesNotMatch(answer.head, /transfer-encoding/i);
      assert.ok(await connection.isClosed());
    }
  });
});

Deno.test("a gzip file pushed as the firmware stays a gzip file", async () => {
  await withService(async ({ origin }, registry) => {
    const zipped = new Uint8Array(gzipSync(FIRMWARE));
    registry.push("zipped", "1.0.0", orasArtifact(zipped, { title: "firmware.bin.gz" }));
    const response = await fetch(`${origin}/firmware?device=zipped`);
    assert.equal(response.headers.get("content-encoding"), null);
    assert.deepEqual(await response.bytes(), zipped);
  });
});

Deno.test("a request's own name stands in its answer and in the log, and no head is too long", async () => {
  await withService(async (otaflux) => {
    using connection = await RawConnection.open(otaflux.port);
    for (const path of ["/version?device=pump", "/firmware?device=pump", "/nothing"]) {
      const requestId = `trace-${path.length}`;
      const headers = `Host: x\r\nX-Request-Id: ${requestId}\r\nAccept-Encoding: gzip\r\n\r\n`;
      const answer = await connection.ask(`GET ${path} HTTP/1.1\r\n${headers}`);
      assert.equal(answer.headers.get("x-request-id"), requestId);
      assert.ok(answer.head.length <= 480, answer.head);
      await otaflux.logged("Request is answered", { requestId, status: answer.status });
    }
  });
});
