/**
 * HTTPS as devices meet it: curl as the client, real files, signals and links.
 */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:http2";
import { join } from "node:path";
import { orasArtifact } from "../helpers/artifacts.ts";
import { run } from "../helpers/cache.ts";
import { type Certificates, issueCertificate, makeCertificates } from "../helpers/certificates.ts";
import { FakeRegistry } from "../helpers/fake_registry.ts";
import { firmwareBytes } from "../helpers/firmware_bytes.ts";
import { Otaflux, runOtaflux } from "../helpers/otaflux.ts";
import { SUBJECT_LACKS_UNVERIFIED_HTTPS } from "../helpers/subject.ts";

const FIRMWARE = firmwareBytes(2_000_000, 8);
const IN_USE = "Certificate is in use";
const REFUSED = "Certificate is refused, the one before stays in use";

/** A folder with an authority's files, a registry with a firmware, and the service in front of it. */
class Bench implements AsyncDisposable {
  private constructor(
    readonly folder: string,
    readonly files: Certificates,
    readonly registry: FakeRegistry,
    readonly otaflux: Otaflux,
  ) {}

  static async start(
    {
      bytes = FIRMWARE,
      args = [],
      prepare = (files): Promise<Certificates> => Promise.resolve(files),
    }: {
      readonly bytes?: Uint8Array<ArrayBuffer>;
      readonly args?: readonly string[];
      readonly prepare?: (files: Certificates, folder: string) => Promise<Certificates>;
    } = {},
  ): Promise<Bench> {
    const folder = await Deno.makeTempDir({ prefix: "otaflux-e2e-" });
    const files = await prepare(await makeCertificates(folder), folder);
    const registry = new FakeRegistry();
    registry.push("pump", "1.0.0", orasArtifact(bytes));
    const source = ["--registry-url", registry.origin];
    const tls = ["--tls-cert-path", files.certPath, "--tls-key-path", files.keyPath];
    const otaflux = await Otaflux.start({ args: [...source, ...tls, ...args] });
    return new Bench(folder, files, registry, otaflux);
  }

  url(path: string): string {
    return `https://localhost:${this.otaflux.port}${path}`;
  }

  /** What curl prints; fails where curl does. */
  async curl(path: string, ...args: readonly string[]): Promise<string> {
    const all = ["--silent", "--show-error", "--fail", "--cacert", this.files.caPath, ...args];
    const { success, stdout, stderr } = await run("curl", { args: [...all, this.url(path)] });
    assert.ok(success, stderr);
    return stdout;
  }

  /** The certificate that a new connection is greeted with. */
  async fingerprint(): Promise<string> {
    return new X509Certificate(await this.curl("/health", "--write-out", "%{certs}"))
      .fingerprint256;
  }

  /** Puts other content in place of the files. */
  async install({ certPath, keyPath }: Pick<Certificates, "certPath" | "keyPath">): Promise<void> {
    await Deno.copyFile(certPath, this.files.certPath);
    await Deno.copyFile(keyPath, this.files.keyPath);
  }

  /** How often a message was logged. */
  count(message: string): number {
    return this.otaflux.records.filter((record) => record.message === message).length;
  }

  /** Has the files read anew, and waits until they are in use or refused. */
  async hangUp(): Promise<void> {
    const decisions = (): number => this.count(IN_USE) + this.count(REFUSED);
    const before = decisions();
    this.otaflux.signal("SIGHUP");
    while (decisions() === before) await this.otaflux.logs();
  }

  /** A client with connections of its own. */
  async client(options: Deno.CreateHttpClientOptions = {}): Promise<Deno.HttpClient> {
    const caCerts = [await Deno.readTextFile(this.files.caPath)];
    return Deno.createHttpClient({ caCerts, ...options });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.otaflux[Symbol.asyncDispose]();
    await this.registry[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

async function fingerprintOf(path: string): Promise<string> {
  return new X509Certificate(await Deno.readTextFile(path)).fingerprint256;
}

for (
  const [args, version] of [
    [["--http2"], "2"],
    [["--http1.1"], "1.1"],
    [["--http1.1", "--no-alpn"], "1.1"],
    // By ALPN curl would ask for 1.0 only, which is refused; devices with 1.0 do not use ALPN.
    [["--http1.0", "--no-alpn"], "1"],
  ] as const
) {
  Deno.test(`curl ${args.join(" ")} gets version and firmware by https`, async () => {
    await using bench = await Bench.start();
    const written = ["--write-out", "\n%{http_version} %{ssl_verify_result}"];
    const text = await bench.curl("/version?device=pump", ...args, ...written);
    assert.match(text, /^1\.0\.0\n\d+\n2000000\n/);
    assert.equal(text.split("\n").at(-1), `${version} 0`);
    const file = join(bench.folder, "firmware");
    await bench.curl("/firmware?device=pump", ...args, "--output", file);
    assert.deepEqual(await Deno.readFile(file), FIRMWARE);
  });
}

Deno.test("http is not answered where https is", async () => {
  await using bench = await Bench.start();
  await assert.rejects(fetch(`${bench.otaflux.origin}/health`), TypeError);
});

Deno.test("twenty new certificates under load fail no request, cut no download and no open connection", async () => {
  await using bench = await Bench.start({ bytes: firmwareBytes(64 * 1024 * 1024, 1) });
  const { folder } = bench;
  const pairs = [
    await issueCertificate(folder, { prefix: "a-" }),
    await issueCertificate(folder, { prefix: "b-" }),
  ];
  // One download lasts from before the first to after the last certificate.
  using slow = await bench.client({ http2: false });
  const download = await fetch(bench.url("/firmware?device=pump"), { client: slow });

  let isOver = false;
  const answered = { anew: 0, keptAlive: 0 };
  const ask = async (client: Deno.HttpClient): Promise<void> => {
    const response = await fetch(bench.url("/version?device=pump"), { client });
    assert.match(await response.text(), /^1\.0\.0\n/);
  };
  const hammers = [1, 2, 3, 4].map(async () => {
    for (; !isOver; answered.anew++) {
      using client = await bench.client();
      await ask(client);
    }
  });
  const patient = [true, false].map(async (http2) => {
    using client = await bench.client({ http2, http1: !http2, poolMaxIdlePerHost: 1 });
    for (; !isOver; answered.keptAlive++) await ask(client);
  });
  for (let i = 0; i < 20; i++) {
    const pair = pairs[i % 2] ?? assert.fail();
    await bench.install(pair);
    await bench.hangUp();
    assert.equal(await bench.fingerprint(), await fingerprintOf(pair.certPath));
  }
  isOver = true;
  await Promise.all([...hammers, ...patient]);
  assert.equal((await download.bytes()).length, 64 * 1024 * 1024);
  assert.ok(answered.anew >= 20 && answered.keptAlive >= 20, JSON.stringify(answered));
  assert.equal(bench.count(REFUSED), 0);
});

Deno.test("a link that is set anew is followed without a signal, as certbot and Kubernetes do it", async () => {
  await using bench = await Bench.start({
    // `..data` is a link to a folder, and the files are links through it.
    prepare: async (files, folder) => {
      for (
        const [name, pair] of [["one", files], [
          "two",
          await issueCertificate(folder, { prefix: "two-" }),
        ]] as const
      ) {
        await Deno.mkdir(join(folder, name));
        await Deno.rename(pair.certPath, join(folder, name, "tls.crt"));
        await Deno.rename(pair.keyPath, join(folder, name, "tls.key"));
      }
      await Deno.symlink("one", join(folder, "..data"));
      await Deno.symlink("..data/tls.crt", join(folder, "tls.crt"));
      await Deno.symlink("..data/tls.key", join(folder, "tls.key"));
      return { ...files, certPath: join(folder, "tls.crt"), keyPath: join(folder, "tls.key") };
    },
  });
  await Deno.symlink("two", join(bench.folder, "..next"));
  await Deno.rename(join(bench.folder, "..next"), join(bench.folder, "..data"));
  const fingerprint = await fingerprintOf(join(bench.folder, "two", "tls.crt"));
  await bench.otaflux.logged(IN_USE, { fingerprint });
  assert.equal(await bench.fingerprint(), fingerprint);
});

Deno.test("a pair that cannot be used is refused with one line, and the one before stays", async () => {
  await using bench = await Bench.start();
  const { folder, files } = bench;
  const [own, ownKey] = await Promise.all(
    [files.certPath, files.keyPath].map((path) => Deno.readTextFile(path)),
  );
  assert(own && ownKey);
  const fingerprint = await bench.fingerprint();
  const other = await issueCertificate(folder, { prefix: "other-" });
  const expired = await issueCertificate(folder, { prefix: "expired-", days: -1 });
  const odd = await issueCertificate(folder, { prefix: "odd-", curve: "secp256k1" });
  const changes: readonly (readonly [() => Promise<void>, RegExp])[] = [
    [() => Deno.copyFile(other.certPath, files.certPath), /^The key does not belong/],
    [() => Deno.writeTextFile(files.certPath, own.slice(0, 200)), /not whole/],
    [() => Deno.writeTextFile(files.certPath, ""), /holds none in PEM/],
    [() => Deno.remove(files.certPath), /^Cannot read .*cert\.pem.*No such file/],
    [() => bench.install(expired), /^The certificate has expired/],
    [() => bench.install(odd), /^The certificate cannot be served: /],
  ];
  for (const [index, [change, reason]] of changes.entries()) {
    await change();
    await bench.hangUp();
    const refusals = bench.otaflux.records.filter(({ message }) => message === REFUSED);
    assert.equal(refusals.length, index + 1);
    assert.match(String(refusals.at(-1)?.reason), reason);
    assert.equal(await bench.fingerprint(), fingerprint);
  }
  await bench.install(other);
  await bench.hangUp();
  assert.equal(await bench.fingerprint(), await fingerprintOf(other.certPath));
  const log = JSON.stringify(bench.otaflux.records);
  assert.ok(!log.includes(ownKey.split("\n")[1] ?? ""));
});

Deno.test("a pair that cannot be used ends the start with status 2 and one line", async () => {
  const folder = await Deno.makeTempDir({ prefix: "otaflux-e2e-" });
  try {
    const { certPath, keyPath } = await makeCertificates(folder);
    const other = await issueCertificate(folder, { prefix: "other-" });
    const odd = await issueCertificate(folder, { prefix: "odd-", curve: "secp256k1" });
    const half = join(folder, "half.pem");
    await Deno.writeTextFile(half, (await Deno.readTextFile(certPath)).slice(0, 200));
    for (
      const [cert, key, line] of [
        [certPath, other.keyPath, /The key does not belong to the certificate/],
        [half, keyPath, /not whole/],
        [certPath, "/nowhere", /Cannot read "\/nowhere"/],
        [keyPath, keyPath, /holds none in PEM/],
        [odd.certPath, odd.keyPath, /The certificate cannot be served: /],
        [certPath, undefined, /--tls-cert-path is of no use alone, want --tls-key-path as well/],
      ] as const
    ) {
      const listen = ["--listen-addr=127.0.0.1:0", "--metrics-listen-addr=127.0.0.1:0"];
      const args = ["--layout-dir", folder, ...listen, "--tls-cert-path", cert];
      const { code, stderr } = await runOtaflux({
        args: [...args, ...key === undefined ? [] : ["--tls-key-path", key]],
      });
      assert.equal(code, 2, stderr);
      assert.match(stderr, /^otaflux: --tls-cert-path [^\n]+\n$/);
      assert.match(stderr, line);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a certificate that has expired is served at the start, with a warning", async () => {
  await using bench = await Bench.start({
    prepare: async (files, folder) => ({
      ...files,
      ...await issueCertificate(folder, { days: -1 }),
    }),
  });
  const { reason, next } = await bench.otaflux.logged("Certificate is used all the same");
  assert.match(String(next), /^look at this machine's clock /);
  assert.match(String(reason), /^The certificate has expired/);
  assert.match(await bench.curl("/version?device=pump", "--insecure"), /^1\.0\.0\n/);
});

Deno.test("a port that is taken ends with status 1, by https as well", async () => {
  await using bench = await Bench.start();
  const { certPath, keyPath } = bench.files;
  const address = `127.0.0.1:${bench.otaflux.port}`;
  const { code, stderr } = await runOtaflux({
    args: [
      "--layout-dir",
      "/",
      "--listen-addr",
      address,
      "--tls-cert-path",
      certPath,
      "--tls-key-path",
      keyPath,
    ],
  });
  assert.equal(code, 1);
  assert.match(
    stderr,
    new RegExp(
      `^otaflux: Cannot listen on ${address}: [^\n]+; end what listens [^\n]+ see --listen-addr and [^\n]+\n$`,
    ),
  );
});

Deno.test("a client that leaves in the middle of an answer leaves the service as it was", async () => {
  await using bench = await Bench.start({ bytes: firmwareBytes(64 * 1024 * 1024, 1) });
  for (const http2 of [true, false]) {
    using client = await bench.client({ http2, http1: !http2 });
    const response = await fetch(bench.url("/firmware?device=pump"), { client });
    await response.body?.cancel();
  }
  while (!/^firmware_downloads_in_progress 0$/m.test(await bench.otaflux.metrics())) {
    // Asks again: the service notices on its own time.
  }
  assert.match(await bench.curl("/version?device=pump"), /^1\.0\.0\n/);
});

Deno.test("a reader that stops is cut off by https, too, and so is who only connects", async () => {
  await using bench = await Bench.start({
    bytes: firmwareBytes(64 * 1024 * 1024, 1),
    args: ["--idle-timeout", "2s"],
  });
  const { port } = bench.otaflux;
  using silent = await Deno.connect({ hostname: "127.0.0.1", port });
  using stopped = await Deno.connectTls({
    hostname: "localhost",
    port,
    caCerts: [await Deno.readTextFile(bench.files.caPath)],
  });
  const request = "GET /firmware?device=pump HTTP/1.1\r\nHost: x\r\n\r\n";
  await stopped.write(new TextEncoder().encode(request));
  await bench.otaflux.logged("Download is cut off, its reader takes nothing");
  assert.equal(await silent.read(new Uint8Array(1)), null);
  assert.match(await bench.otaflux.metrics(), /^firmware_downloads_in_progress 0$/m);
  const buffer = new Uint8Array(1024 * 1024);
  let received = 0;
  for (let count; (count = await stopped.read(buffer).catch(() => null)) !== null;) {
    received += count;
  }
  assert.ok(received < 64 * 1024 * 1024, `${received}`);
});

Deno.test("a reader that stops is cut off by HTTP/2 as well, which is no error", async () => {
  await using bench = await Bench.start({
    bytes: firmwareBytes(64 * 1024 * 1024, 1),
    args: ["--idle-timeout", "2s"],
  });
  const ca = await Deno.readTextFile(bench.files.caPath);
  const session = connect(`https://localhost:${bench.otaflux.port}`, { ca });
  const download = session.request({ ":path": "/firmware?device=pump" });
  download.on("response", () => download.pause());
  await bench.otaflux.logged("Download is cut off, its reader takes nothing");
  session.destroy();
  await once(session, "close");
  // Whatever is said of it is said before others are answered.
  await bench.curl("/version?device=pump");
  const messages = bench.otaflux.records.map(({ message }) => message);
  assert.ok(!messages.includes("Request failed outside of the routes"), messages.join(", "));
});

Deno.test("a signal to end lets a download by https end first", async () => {
  await using bench = await Bench.start();
  const gate = bench.registry.gate({ kind: "blob" });
  // Accepted before the download, since it came before.
  using silent = await Deno.connect({ hostname: "127.0.0.1", port: bench.otaflux.port });
  const file = join(bench.folder, "firmware");
  const download = bench.curl("/firmware?device=pump", "--output", file);
  await gate.arrived(1);
  bench.otaflux.signal("SIGTERM");
  await bench.otaflux.logged("Signal received");
  gate.open();
  await download;
  assert.deepEqual(await Deno.readFile(file), FIRMWARE);
  assert.equal((await bench.otaflux.ended()).code, 0);
  assert.ok(bench.otaflux.records.some(({ message }) => message === "All requests have ended"));
  assert.equal(await silent.read(new Uint8Array(1)), null);
});

Deno.test({
  name: "otaflux healthcheck asks over TLS where the service has it",
  ignore: SUBJECT_LACKS_UNVERIFIED_HTTPS,
  fn: async () => {
    await using bench = await Bench.start();
    const tls = ["--tls-cert-path", bench.files.certPath, "--tls-key-path", bench.files.keyPath];
    const address = `127.0.0.1:${bench.otaflux.port}`;
    assert.deepEqual(
      await runOtaflux({ args: ["healthcheck", "--listen-addr", address, ...tls] }),
      { code: 0, stdout: "", stderr: "" },
    );
  },
});
