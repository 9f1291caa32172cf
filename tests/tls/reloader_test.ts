import assert from "node:assert/strict";
import { join } from "node:path";
import { CertificateError, type CertificatePair, readPair } from "../../src/tls/certificate.ts";
import { CertificateReloader } from "../../src/tls/reloader.ts";
import { issueCertificate, makeCertificates } from "../helpers/certificates.ts";
import { CapturedLogs } from "../helpers/logs.ts";

/** The files of a certificate, two more to exchange it for, and who is told of it. */
class Bench implements AsyncDisposable {
  readonly used: CertificatePair[] = [];
  readonly logs = new CapturedLogs();
  now = Date.now();
  failure: Error | undefined;
  readonly #folder: string;
  readonly reloader: CertificateReloader;

  private constructor(
    folder: string,
    readonly first: CertificatePair,
    readonly second: CertificatePair,
  ) {
    this.#folder = folder;
    this.reloader = new CertificateReloader({
      paths: { certPath: join(folder, "cert.pem"), keyPath: join(folder, "key.pem") },
      pair: first,
      now: () => this.now,
      use: (pair) => {
        if (this.failure !== undefined) throw this.failure;
        this.used.push(pair);
      },
    });
  }

  static async make(): Promise<Bench> {
    const folder = await Deno.makeTempDir({ prefix: "otaflux-reloader-" });
    const first = await readPair(await makeCertificates(folder));
    const second = await readPair(await issueCertificate(folder, { prefix: "second-" }));
    return new Bench(folder, first, second);
  }

  async write({ cert, key }: Partial<CertificatePair>): Promise<void> {
    if (cert !== undefined) await Deno.writeTextFile(join(this.#folder, "cert.pem"), cert);
    if (key !== undefined) await Deno.writeTextFile(join(this.#folder, "key.pem"), key);
  }

  async remove(name: string): Promise<void> {
    await Deno.remove(join(this.#folder, name));
  }

  async look(times: number): Promise<void> {
    for (let i = 0; i < times; i++) await this.reloader.look();
  }

  /** What was logged so far, as level and reason. */
  get story(): readonly string[] {
    return this.logs.records.map(({ level, reason }) => reason ? `${level}: ${reason}` : level);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.logs[Symbol.dispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

const MISFIT = "error: The key does not belong to the certificate";

Deno.test("CertificateReloader does nothing as long as the files stay as they are", async () => {
  await using bench = await Bench.make();
  await bench.look(5);
  assert.deepEqual([bench.used, bench.story], [[], []]);
});

Deno.test("CertificateReloader takes a new pair once two looks have seen the same", async () => {
  await using bench = await Bench.make();
  await bench.write(bench.second);
  await bench.look(1);
  assert.deepEqual(bench.used, []);
  await bench.look(1);
  assert.deepEqual(bench.used, [bench.second]);
  await bench.look(5);
  assert.deepEqual([bench.used.length, bench.story], [1, ["info"]]);
  assert.equal(bench.logs.records[0]?.message, "Certificate is in use");
});

Deno.test("CertificateReloader says nothing of a pair whose second file follows in time", async () => {
  await using bench = await Bench.make();
  await bench.write({ cert: bench.second.cert.slice(0, 100) });
  await bench.look(1);
  await bench.write({ cert: bench.second.cert });
  await bench.look(1);
  await bench.write({ key: bench.second.key });
  await bench.look(2);
  assert.deepEqual([bench.used, bench.story], [[bench.second], ["info"]]);
});

Deno.test("CertificateReloader refuses what does not fit with one line, until it changes", async () => {
  await using bench = await Bench.make();
  await bench.write({ cert: bench.second.cert });
  await bench.look(10);
  assert.deepEqual([bench.used, bench.story], [[], [MISFIT]]);
  await bench.write({ key: bench.second.key });
  await bench.look(10);
  assert.deepEqual([bench.used, bench.story], [[bench.second], [MISFIT, "info"]]);
});

Deno.test("CertificateReloader goes on without the files, and finds them again", async () => {
  await using bench = await Bench.make();
  await bench.remove("key.pem");
  await bench.look(10);
  assert.equal(bench.story.length, 1);
  assert.match(`${bench.story[0]}`, /^error: Cannot read ".*key.pem": No such file/);
  await bench.write(bench.first);
  await bench.look(10);
  // It is in use already, and is not put in use anew.
  assert.deepEqual([bench.used, bench.story[1]], [[], "info"]);
});

Deno.test("CertificateReloader refuses what has expired: what is in use may be better", async () => {
  await using bench = await Bench.make();
  bench.now += 10 * 86_400_000;
  await bench.write(bench.second);
  await bench.look(10);
  assert.deepEqual(bench.used, []);
  assert.equal(bench.story.length, 1);
  assert.match(`${bench.story[0]}`, /^error: The certificate has expired/);
});

Deno.test("CertificateReloader takes what its clock was wrong about, once that is set", async () => {
  await using bench = await Bench.make();
  const { now } = bench;
  bench.now = 20_000;
  await bench.write(bench.second);
  await bench.look(10);
  assert.deepEqual(bench.used, []);
  assert.equal(bench.story.length, 1);
  assert.match(`${bench.story[0]}`, /^error: The certificate is valid from .* on only$/);
  bench.now = now;
  await bench.look(10);
  assert.deepEqual([bench.used, bench.story[1]], [[bench.second], "info"]);
  assert.equal(bench.story.length, 2);
});

Deno.test("CertificateReloader keeps what is in use where the server refuses the new one", async () => {
  await using bench = await Bench.make();
  bench.failure = new CertificateError("The certificate cannot be served");
  await bench.write(bench.second);
  await bench.look(3);
  assert.deepEqual(bench.story, ["error: The certificate cannot be served"]);
  await bench.write(bench.first);
  await bench.look(3);
  assert.deepEqual(bench.story[1], "info");
});

Deno.test("CertificateReloader.reload() decides at once, and again each time", async () => {
  await using bench = await Bench.make();
  await bench.write({ cert: bench.second.cert });
  await bench.reloader.reload();
  await bench.reloader.reload();
  assert.deepEqual([bench.used, bench.story], [[], [MISFIT, MISFIT]]);
  await bench.write({ key: bench.second.key });
  await bench.reloader.reload();
  await bench.reloader.reload();
  assert.deepEqual([bench.used, bench.story], [[bench.second], [MISFIT, MISFIT, "info", "info"]]);
});

Deno.test("CertificateReloader looks by itself from start() to stop()", async () => {
  await using bench = await Bench.make();
  bench.reloader.start();
  bench.reloader.start();
  // A timer that is left behind fails the test.
  bench.reloader.stop();
});
