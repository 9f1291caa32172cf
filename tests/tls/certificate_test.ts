import assert from "node:assert/strict";
import {
  CertificateError,
  type CertificatePair,
  checkPair,
  datesComplaint,
  describePair,
  readPair,
} from "../../src/tls/certificate.ts";
import { issueCertificate, makeCertificates } from "../helpers/certificates.ts";

async function withPairs(
  test: (pairs: { ours: CertificatePair; other: CertificatePair; ca: string }) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "otaflux-certificates-" });
  try {
    const paths = await makeCertificates(folder);
    const ours = await readPair(paths);
    const other = await readPair(await issueCertificate(folder, { prefix: "other-" }));
    await test({ ours, other, ca: await Deno.readTextFile(paths.caPath) });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const DAY_MS = 86_400_000;

Deno.test("checkPair() takes a certificate with its key, and with the chain behind it", async () => {
  await withPairs(({ ours, ca }) => {
    checkPair(ours);
    checkPair({ ...ours, cert: `Subject: us\n${ours.cert}\n${ca}` });
    return Promise.resolve();
  });
});

Deno.test("checkPair() refuses what does not belong together or is not whole, and quotes no key", async () => {
  await withPairs(({ ours, other, ca }) => {
    const [half, most] = [0.5, 0.95].map((part) => Math.floor(ours.cert.length * part));
    for (
      const [cert, key, message] of [
        [ours.cert, other.key, /^The key does not belong to the certificate$/],
        [`${ca}${ours.cert}`, ours.key, /^The key does not belong to the certificate$/],
        ["", ours.key, /^The certificate's file holds none in PEM$/],
        [ours.key, ours.key, /^The certificate's file holds none in PEM$/],
        [ours.cert.slice(0, half), ours.key, /^The certificate's file is not whole/],
        [ours.cert.slice(0, most), ours.key, /^The certificate's file is not whole/],
        [`${ours.cert}${ca.slice(0, half)}`, ours.key, /^The certificate's file is not whole/],
        [ours.cert, "", /^The key's file holds no key/],
        [ours.cert, ours.key.slice(0, 100), /^The key's file holds no key/],
        [ours.cert, ours.cert, /^The key's file holds no key/],
      ] as const
    ) {
      assert.throws(() => checkPair({ cert, key }), (error) => {
        assert(error instanceof CertificateError, `${error}`);
        assert.match(error.message, message);
        assert.equal(error.cause, undefined);
        return true;
      });
    }
    return Promise.resolve();
  });
});

Deno.test("datesComplaint() says whether the certificate has expired or is not valid yet", async () => {
  await withPairs(({ ours }) => {
    assert.equal(datesComplaint(ours, Date.now() + DAY_MS), undefined);
    assert.match(
      datesComplaint(ours, Date.now() + 3 * DAY_MS) ?? "",
      /^The certificate has expired, it was valid to .* GMT$/,
    );
    // A clock that nobody has set.
    assert.match(datesComplaint(ours, 0) ?? "", /^The certificate is valid from .* GMT on only$/);
    return Promise.resolve();
  });
});

Deno.test("describePair() tells certificates apart, and when each ends", async () => {
  await withPairs(({ ours, other }) => {
    const [one, two] = [describePair(ours), describePair(other)];
    assert.notEqual(one.fingerprint, two.fingerprint);
    assert.match(`${one.fingerprint}`, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    const days = (Date.parse(`${one.validTo}`) - Date.now()) / DAY_MS;
    assert(days > 1.9 && days <= 2, `${days}`);
    return Promise.resolve();
  });
});

Deno.test("readPair() names the file that cannot be read", async () => {
  await assert.rejects(
    readPair({ certPath: "/nowhere", keyPath: "/dev/null" }),
    /^CertificateError: Cannot read "\/nowhere": No such file/,
  );
});
