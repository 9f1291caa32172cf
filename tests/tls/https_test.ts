import assert from "node:assert/strict";
import { CertificateError } from "../../src/tls/certificate.ts";
import { HttpsServer } from "../../src/tls/https.ts";
import { type Certificates, issueCertificate, makeCertificates } from "../helpers/certificates.ts";
import { CapturedLogs } from "../helpers/logs.ts";

async function withFiles(
  test: (files: Certificates, folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "otaflux-https-" });
  try {
    await test(await makeCertificates(folder), folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function start(paths: Certificates): Promise<HttpsServer> {
  return await HttpsServer.start({
    hostname: "127.0.0.1",
    port: 0,
    paths,
    idleMs: 60_000,
    handler: () => new Response("hello"),
    onError: () => new Response(null, { status: 500 }),
  });
}

async function ask(server: HttpsServer, caPath: string): Promise<string> {
  using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(caPath)] });
  return await (await fetch(`https://localhost:${server.addr.port}`, { client })).text();
}

Deno.test("HttpsServer serves what its files hold, and after reload() what they hold then", async () => {
  await withFiles(async (files, folder) => {
    const server = await start(files);
    assert.equal(await ask(server, files.caPath), "hello");
    // An authority that nobody knew before: only who trusts it can tell.
    await makeCertificates(folder);
    await assert.rejects(ask(server, files.caPath), TypeError);
    const before = server.validTo;
    await issueCertificate(folder, { days: 90 });
    await server.reload();
    assert.equal(await ask(server, files.caPath), "hello");
    const inDays = (date: Date): number => Math.round((date.getTime() - Date.now()) / 86_400_000);
    assert.deepEqual([inDays(before), inDays(server.validTo)], [2, 90]);
    await server.shutdown();
    await assert.rejects(ask(server, files.caPath), TypeError);
  });
});

Deno.test("HttpsServer.start() serves what has expired, with a warning", async () => {
  using logs = new CapturedLogs();
  await withFiles(async (files, folder) => {
    const server = await start({ ...files, ...await issueCertificate(folder, { days: -1 }) });
    await server.shutdown();
  });
  assert.deepEqual(logs.messages("warn"), ["Certificate is used all the same"]);
});

Deno.test("HttpsServer.start() refuses what does not fit", async () => {
  await withFiles(async (files, folder) => {
    const { keyPath } = await issueCertificate(folder, { prefix: "other-" });
    await assert.rejects(start({ ...files, keyPath }), CertificateError);
    await assert.rejects(start({ ...files, keyPath: "/nowhere" }), CertificateError);
  });
});
