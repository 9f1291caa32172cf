/**
 * What strangers at the two ports may try, against the service as a process. `docs/security.md` has
 * the list, with what is too slow or too large to be tried here.
 */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { orasArtifact } from "../helpers/artifacts.ts";
import { run } from "../helpers/cache.ts";
import { makeCertificates } from "../helpers/certificates.ts";
import { withFolder } from "../helpers/disk.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { manifestOf } from "../helpers/manifest.ts";
import { Otaflux } from "../helpers/otaflux.ts";
import { RawConnection } from "../helpers/raw_http.ts";
import { SUBJECT_HAS_HYPER } from "../helpers/subject.ts";

const FIRMWARE = firmwareBytes(300_000, 3);

async function withService(
  test: (otaflux: Otaflux, registry: FakeRegistry) => Promise<void>,
  args: readonly string[] = [],
): Promise<void> {
  await using registry = new FakeRegistry();
  registry.push("pump", "1.2.3", orasArtifact(FIRMWARE));
  await using otaflux = await Otaflux.start({ args: ["--registry-url", registry.origin, ...args] });
  await test(otaflux, registry);
}

/** What the system says of a process's memory, in bytes. */
async function residentBytes({ pid }: Otaflux): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
}

async function writeAll(socket: Deno.Conn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let written = 0; written < bytes.length;) {
    written += await socket.write(bytes.subarray(written));
  }
}

const BODY = `{"type":"PUSH_ARTIFACT","event_data":{}}`;
const SMUGGLED = "0\r\n\r\nGET /version?device=pump HTTP/1.1\r\nHost: x\r\n\r\n";

for (
  const [what, fields, body] of [
    ["two lengths", `Content-Length: 5\r\nContent-Length: ${BODY.length}`, BODY],
    ["a list of lengths", `Content-Length: 5, ${BODY.length}`, BODY],
    ["a length with a sign", `Content-Length: +${BODY.length}`, BODY],
    ["a length before a space", `Content-Length : ${BODY.length}`, BODY],
    ["a length and chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked", SMUGGLED],
    ["chunks and another coding", "Transfer-Encoding: chunked, identity", SMUGGLED],
    ["a coding like chunks", "Transfer-Encoding: xchunked", SMUGGLED],
    ["a folded field", "X-A: a\r\n Content-Length: 5", BODY],
    ["NUL in a field", "X-A: a\0b", ""],
    ["two hosts", "Host: y", ""],
  ] as const
) {
  Deno.test(`a request with ${what} is refused, and nothing is read behind it`, {
    ignore: SUBJECT_HAS_HYPER && ["a length and chunks", "two hosts"].includes(what),
  }, async () => {
    await withService(async ({ port }) => {
      using connection = await RawConnection.open(port);
      const answer = await connection.ask(
        `POST /webhooks/harbor HTTP/1.1\r\nHost: x\r\n${fields}\r\n\r\n${body}`,
      );
      assert.equal(answer.status, 400);
      assert(await connection.isClosed());
    });
  });
}

for (
  const [what, begin, more, times] of [
    ["fields without end behind its body", "0\r\n", "X-A: b\r\n".repeat(8192), 4000],
    ["chunks of one byte each", "", "1\r\na\r\n".repeat(10_000), 5],
  ] as const
) {
  Deno.test(`a webhook with ${what} takes no memory`, { ignore: SUBJECT_HAS_HYPER }, async () => {
    await withService(async (otaflux) => {
      using socket = await Deno.connect({ hostname: "127.0.0.1", port: otaflux.port });
      const before = await residentBytes(otaflux);
      try {
        const head =
          "POST /webhooks/harbor HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        await writeAll(socket, head + begin);
        for (let time = 0; time < times; time++) await writeAll(socket, more);
        await socket.read(new Uint8Array(100));
      } catch {
        // It has answered, and takes no more.
      }
      const grown = await residentBytes(otaflux) - before;
      assert(grown < 100e6, `It grew by ${Math.round(grown / 1e6)} MB`);
    });
  });
}

Deno.test("a webhook in chunks is told to say how long it is", async () => {
  await withService(async ({ port }) => {
    using connection = await RawConnection.open(port);
    const answer = await connection.ask(
      "POST /webhooks/harbor HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
        "2\r\n{}\r\n0\r\n\r\n",
    );
    assert.equal(answer.status, 411);
    assert.match(new TextDecoder().decode(answer.body), /want a Content-Length/);
  });
});

for (const scheme of ["http", "https"]) {
  Deno.test(`more connections than the system allows do not end the service (${scheme})`, async () => {
    await withFolder(async (folder) => {
      const { certPath, keyPath, caPath } = await makeCertificates(folder);
      const args = scheme === "http"
        ? []
        : ["--tls-cert-path", certPath, "--tls-key-path", keyPath];
      await withService(async (otaflux) => {
        using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(caPath)] });
        const url = `${scheme}://localhost:${otaflux.port}/version?device=pump`;
        assert.match(await (await fetch(url, { client })).text(), /^1\.2\.3\n/);
        await run("prlimit", { args: ["--pid", `${otaflux.pid}`, "--nofile=120:120"] });
        const connections: Deno.Conn[] = [];
        try {
          for (let count = 0; count < 300; count++) {
            connections.push(await Deno.connect({ hostname: "127.0.0.1", port: otaflux.port }));
          }
        } catch {
          // It listens no more, for the moment.
        }
        const hasEnded = (): boolean => otaflux.records.some(({ level }) => level === "error");
        while (!SUBJECT_HAS_HYPER && !hasEnded()) await otaflux.logs();
        for (const connection of connections) connection.close();
        for (;;) {
          try {
            const response = await fetch(url, { client });
            assert.match(await response.text(), /^1\.2\.3\n/);
            break;
          } catch (error) {
            if (!(error instanceof TypeError)) throw error;
            await otaflux.logs();
          }
        }
      }, args);
    });
  });
}

Deno.test("thousands of ids and versions of strangers make no series", async () => {
  await withService(async (otaflux) => {
    await (await fetch(`${otaflux.origin}/version?device=pump`)).body?.cancel();
    const before = (await otaflux.metrics()).split("\n").length;
    for (let at = 0; at < 2000; at += 50) {
      await Promise.all(Array.from({ length: 50 }, async (_, offset) => {
        const version = `${at}.${offset}.0`;
        const paths = [
          `version?device=x-${at + offset}`,
          `swupdate?device=pump&current=${version}`,
        ];
        for (const path of paths) {
          const response = await fetch(`${otaflux.origin}/${path}`, {
            method: "HEAD",
            redirect: "manual",
          });
          await response.body?.cancel();
        }
      }));
    }
    const after = (await otaflux.metrics()).split("\n").length;
    // Twenty versions of the one device that there is, one for all others, and two routes.
    assert(after - before < 100, `${before} lines became ${after}`);
  });
});

Deno.test("a layer that unpacks to a thousand times its size is refused without taking the room for it", async () => {
  await withService(async (otaflux, registry) => {
    const bomb = gzipSync(new Uint8Array(256 * 1024 ** 2), { level: 9 });
    const tar = { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", bytes: bomb };
    const config = {
      mediaType: "application/vnd.oci.image.config.v1+json",
      bytes: new TextEncoder().encode("{}"),
    };
    registry.push("bomb", "1.0.0", manifestOf({ config, layers: [tar] }));
    const response = await fetch(`${otaflux.origin}/firmware?device=bomb`);
    assert.equal(response.status, 502);
    await response.body?.cancel();
    assert(await residentBytes(otaflux) < 400e6);
  }, ["--max-firmware-size", "1MiB"]);
});

Deno.test("a registry that redirects to a cloud's metadata is not followed", async () => {
  await withService(async (otaflux, registry) => {
    registry.push("away", "1.0.0", orasArtifact(FIRMWARE));
    registry.fault({
      match: { repository: "away", kind: "blob" },
      respond: () =>
        new Response(null, {
          status: 307,
          headers: { location: "http://169.254.169.254/latest/meta-data/" },
        }),
    });
    const response = await fetch(`${otaflux.origin}/firmware?device=away`);
    assert.equal(response.status, 502);
    assert.match(await response.text(), /which only this machine can reach/);
  });
});
