import assert from "node:assert/strict";
import { orasArtifact } from "../helpers/artifacts.ts";
import { run } from "../helpers/cache.ts";
import { debianTool } from "../helpers/debian.ts";
import { sha256Of } from "../helpers/disk.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { Otaflux } from "../helpers/otaflux.ts";
import { RawConnection } from "../helpers/raw_http.ts";

const curl = await debianTool("curl");

const FIRMWARE = firmwareBytes(300_000, 5);
const TARGET = "/firmware?device=pump";

async function withService(test: (otaflux: Otaflux) => Promise<void>): Promise<void> {
  await using registry = new FakeRegistry();
  registry.push("pump", "1.2.3", orasArtifact(FIRMWARE));
  await using otaflux = await Otaflux.start({ args: ["--registry-url", registry.origin] });
  await test(otaflux);
}

/** Requests, and what their answers look like whatever version of HTTP they came in. */
const CASES: readonly (readonly [
  method: string,
  headers: Readonly<Record<string, string>>,
  status: number,
  length: number | undefined,
])[] = [
  ["GET", {}, 200, 300_000],
  ["HEAD", {}, 200, 300_000],
  ["GET", { range: "bytes=0-" }, 206, 300_000],
  ["GET", { range: "bytes=100-199" }, 206, 100],
  ["GET", { range: "bytes=300000-" }, 416, undefined],
  ["GET", { "if-none-match": `"${sha256Of(FIRMWARE)}"` }, 304, undefined],
  ["HEAD", { "if-none-match": "*" }, 304, undefined],
  ["GET", { "if-match": `"x"` }, 412, undefined],
  ["HEAD", { "if-match": `"x"` }, 412, undefined],
];

Deno.test("HTTP/1.1: all kinds of answers come one after the other over one connection", async () => {
  await withService(async ({ port }) => {
    using connection = await RawConnection.open(port);
    for (const [method, headers, status, length] of CASES) {
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join(
        "",
      );
      const answer = await connection.ask(
        `${method} ${TARGET} HTTP/1.1\r\nHost: x\r\n${lines}\r\n`,
      );
      assert.equal(answer.status, status, answer.head);
      assert.ok(answer.head.length < 480, answer.head);
      assert.doesNotMatch(answer.head, /transfer-encoding/i);
      if (length !== undefined) assert.equal(answer.headers.get("content-length"), String(length));
      // It would be a lie, and a client might wait for as many bytes.
      if (status === 304) assert.equal(answer.headers.get("content-length"), undefined);
    }
    const parts = await connection.ask(
      `GET ${TARGET} HTTP/1.1\r\nHost: x\r\nRange: bytes=0-9,20-29\r\n\r\n`,
    );
    assert.match(parts.headers.get("content-type") ?? "", /^multipart\/byteranges; boundary=/);
    assert.ok(parts.head.length < 480);
    assert.equal((await connection.ask("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")).status, 200);
  });
});

Deno.test("HTTP/1.0: ranges and conditions are answered, and the connection closed or kept as asked", async () => {
  await withService(async ({ port }) => {
    for (const [method, headers, status, length] of CASES) {
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join(
        "",
      );
      using connection = await RawConnection.open(port);
      const answer = await connection.ask(`${method} ${TARGET} HTTP/1.0\r\n${lines}\r\n`);
      assert.equal(answer.status, status, answer.head);
      if (length !== undefined) assert.equal(answer.headers.get("content-length"), String(length));
      assert.ok(await connection.isClosed());
    }
    // A connection that is to be kept is kept for texts; behind a body that is streamed the server
    // closes it, as any server may.
    using kept = await RawConnection.open(port);
    const request = (target: string): string =>
      `GET ${target} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`;
    for (const target of ["/version?device=pump", "/version?device=pump", TARGET]) {
      const answer = await kept.ask(request(target));
      assert.match(answer.headers.get("connection") ?? "", /keep-alive/i);
      assert.ok(answer.head.length < 480);
      if (target === TARGET) assert.deepEqual(answer.body, FIRMWARE);
    }
  });
});

Deno.test({
  name: "HTTP/2 without TLS: curl with prior knowledge gets the same answers",
  ignore: "skip" in curl,
  fn: () =>
    withService(async ({ origin }) => {
      if ("skip" in curl) return;
      for (const [method, headers, status, length] of CASES) {
        const lines = Object.entries(headers).flatMap((
          [name, value],
        ) => ["-H", `${name}: ${value}`]);
        const { stdout, stderr } = await run(curl.path, {
          args: [
            ...["-sS", "--http2-prior-knowledge", "-o", "/dev/null", ...lines],
            ...["-w", "%{http_version} %{http_code} %header{content-length}"],
            ...[method === "HEAD" ? "-I" : "-X", ...(method === "HEAD" ? [] : [method])],
            origin + TARGET,
          ],
        });
        const [version, code, told] = stdout.split(" ");
        assert.deepEqual([version, code], ["2", String(status)], stderr);
        if (length !== undefined) assert.equal(told, String(length));
      }
    }),
});

Deno.test("A version of any length leaves the head short, and says the length of all it has", async () => {
  await using registry = new FakeRegistry();
  const version = `1.0.0-${"x".repeat(110)}`;
  registry.push("pump", version, orasArtifact(FIRMWARE));
  await using otaflux = await Otaflux.start({ args: ["--registry-url", registry.origin] });
  using connection = await RawConnection.open(otaflux.port);
  for (const path of [TARGET, "/version?device=pump", "/version.json?device=pump"]) {
    const digest = "Want-Repr-Digest: sha-256=1\r\nRange: bytes=5-\r\nx-ESP32-mode: sketch\r\n";
    const answer = await connection.ask(`GET ${path} HTTP/1.1\r\nHost: x\r\n${digest}\r\n`);
    assert.ok(answer.head.length < 480, answer.head);
    assert.ok(answer.status < 300);
  }
});
