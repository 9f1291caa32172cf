import assert from "node:assert/strict";
import {
  CertificateError,
  type CertificatePair,
  checkPair,
  readPair,
} from "../../src/tls/certificate.ts";
import { TlsServer } from "../../src/tls/server.ts";
import { issueCertificate, makeCertificates } from "../helpers/certificates.ts";
import { Gate } from "../helpers/registry/gate.ts";

/** A server on certificates of a private authority, and clients that trust that. */
class Bench implements AsyncDisposable {
  readonly server: TlsServer;
  handler: Deno.ServeHandler<Deno.NetAddr> = () => new Response("hello");

  readonly ca: string;
  readonly pairs: readonly [CertificatePair, CertificatePair];

  private constructor(
    readonly folder: string,
    { ca, pairs, idleMs }: Pick<Bench, "ca" | "pairs"> & { readonly idleMs: number },
  ) {
    [this.ca, this.pairs] = [ca, pairs];
    this.server = new TlsServer({
      hostname: "127.0.0.1",
      port: 0,
      pair: pairs[0],
      idleMs,
      handler: (request, info) => this.handler(request, info),
      onError: () => new Response(null, { status: 500 }),
    });
  }

  static async start({ idleMs = 60_000 } = {}): Promise<Bench> {
    const folder = await Deno.makeTempDir({ prefix: "otaflux-tls-" });
    const paths = await makeCertificates(folder);
    const other = await issueCertificate(folder, { prefix: "other-" });
    const pairs = [await readPair(paths), await readPair(other)] as const;
    return new Bench(folder, { ca: await Deno.readTextFile(paths.caPath), pairs, idleMs });
  }

  /** A client with connections of its own. */
  client(options: Deno.CreateHttpClientOptions = {}): Deno.HttpClient {
    return Deno.createHttpClient({ caCerts: [this.ca], ...options });
  }

  get origin(): string {
    return `https://localhost:${this.server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.shutdown();
    await Deno.remove(this.folder, { recursive: true });
  }
}

async function textOf(url: string, client: Deno.HttpClient): Promise<string> {
  return await (await fetch(url, { client })).text();
}

Deno.test("TlsServer answers, and tells its handler the client's own address", async () => {
  await using bench = await Bench.start();
  bench.handler = (_request, info) => Response.json(info.remoteAddr);
  const connection = await Deno.connectTls({
    hostname: "localhost",
    port: bench.server.addr.port,
    caCerts: [bench.ca],
  });
  await connection.write(
    new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
  );
  const text = await new Response(connection.readable).text();
  assert.deepEqual(JSON.parse(text.split("\r\n\r\n")[1] ?? ""), { ...connection.localAddr });
});

Deno.test("TlsServer.use() greets new connections anew, while open ones go on until they end", async () => {
  await using bench = await Bench.start();
  {
    using early = bench.client({ http2: false });
    assert.equal(await textOf(bench.origin, early), "hello");
    bench.server.use(bench.pairs[1]);
    assert.equal(bench.server.certificates, 2);
    assert.equal(await textOf(bench.origin, early), "hello");
    using late = bench.client({ http2: false });
    assert.equal(await textOf(bench.origin, late), "hello");
  }
  // The old one ends with its last connection: when, the system decides.
  while (bench.server.certificates > 1) await new Promise((resolve) => setTimeout(resolve, 5));
});

Deno.test("TlsServer.use() ends what nobody is connected to", async () => {
  await using bench = await Bench.start();
  for (let i = 0; i < 5; i++) bench.server.use(bench.pairs[i % 2 as 0 | 1]);
  assert.equal(bench.server.certificates, 1);
});

Deno.test("TlsServer.use() lets an answer that is under way go on to its end", async () => {
  await using bench = await Bench.start();
  const gate = new Gate();
  bench.handler = async () => {
    await gate.pass();
    return new Response("late");
  };
  using client = bench.client();
  const answer = textOf(bench.origin, client);
  await gate.arrived();
  bench.server.use(bench.pairs[1]);
  gate.open();
  assert.equal(await answer, "late");
});

Deno.test("TlsServer refuses a key that it cannot serve, and goes on with the one before", async () => {
  await using bench = await Bench.start();
  const paths = await issueCertificate(bench.folder, { prefix: "odd-", curve: "secp256k1" });
  const pair = await readPair(paths);
  checkPair(pair);
  assert.throws(() => bench.server.use(pair), CertificateError);
  const { server: { addr }, pairs: [{ cert }, { key }] } = bench;
  assert.throws(() => bench.server.use({ cert, key }), CertificateError);
  using client = bench.client();
  assert.equal(await textOf(bench.origin, client), "hello");
  assert.deepEqual([bench.server.certificates, bench.server.addr], [1, addr]);
});

Deno.test("TlsServer's constructor leaves nothing behind where it cannot serve", async () => {
  await using bench = await Bench.start();
  const [{ cert }, { key }] = bench.pairs;
  const options = {
    hostname: "127.0.0.1",
    port: 0,
    idleMs: 60_000,
    handler: () => new Response(),
    onError: () => new Response(),
  };
  assert.throws(() => new TlsServer({ ...options, pair: { cert, key } }), CertificateError);
  const { port } = bench.server.addr;
  assert.throws(
    () => new TlsServer({ ...options, pair: bench.pairs[0], port }),
    Deno.errors.AddrInUse,
  );
});

Deno.test("TlsServer.shutdown() lets answers end, refuses others, and waits for nobody who says nothing", async () => {
  const bench = await Bench.start();
  const gate = new Gate();
  bench.handler = async () => {
    await gate.pass();
    return new Response("late");
  };
  using silent = await Deno.connect({ port: bench.server.addr.port });
  using client = bench.client();
  const answer = textOf(bench.origin, client);
  await gate.arrived();
  const ended = bench[Symbol.asyncDispose]();
  await assert.rejects(Deno.connect({ port: bench.server.addr.port }));
  gate.open();
  assert.equal(await answer, "late");
  await ended;
  assert.equal(await silent.read(new Uint8Array(1)), null);
});

Deno.test("TlsServer cuts off who asks nothing, but nobody who waits for an answer or between two", async () => {
  // Long enough for a greeting on a busy machine.
  await using bench = await Bench.start({ idleMs: 1000 });
  const gate = new Gate();
  bench.handler = async () => {
    await gate.pass();
    return new Response("late");
  };
  using client = bench.client({ http2: false });
  const answer = textOf(bench.origin, client);
  await gate.arrived();
  using silent = await Deno.connect({ port: bench.server.addr.port });
  assert.equal(await silent.read(new Uint8Array(1)), null);
  gate.open();
  assert.equal(await answer, "late");
  using another = await Deno.connect({ port: bench.server.addr.port });
  assert.equal(await another.read(new Uint8Array(1)), null);
  assert.equal(await textOf(bench.origin, client), "late");
});

/** The ports that this process listens on (proc_net(5): state 0A). */
async function listeningPorts(): Promise<readonly number[]> {
  const sockets = new Set<string>();
  for await (const { name } of Deno.readDir("/proc/self/fd")) {
    const link = await Deno.readLink(`/proc/self/fd/${name}`).catch(() => "");
    sockets.add(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? "");
  }
  const rows = (await Deno.readTextFile("/proc/self/net/tcp")).trim().split("\n").slice(1);
  return rows.map((row) => row.trim().split(/\s+/))
    .filter(([, , , state, , , , , , inode = "-"]) => state === "0A" && sockets.has(inode))
    .map(([, address = ""]) => parseInt(address.split(":")[1] ?? "", 16));
}

Deno.test("TlsServer answers nobody who comes to the server behind it", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  await using bench = await Bench.start();
  using client = bench.client();
  const answers: [number, string][] = [];
  for (const port of await listeningPorts()) {
    if (port === bench.server.addr.port) continue;
    try {
      const response = await fetch(`https://localhost:${port}`, { client });
      answers.push([response.status, await response.text()]);
    } catch {
      // Of another test: nobody else has a certificate of this bench's own authority.
    }
  }
  assert.deepEqual(answers, [[403, ""]]);
});
