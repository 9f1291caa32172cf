/**
 * Certificates of a private authority, made anew for each test by `openssl`.
 *
 * @module
 */

import { join } from "node:path";
import { run } from "./cache.ts";

/** Files of a private authority and of a server that it vouches for, in PEM. */
export interface Certificates {
  /** The authority's certificate. */
  readonly caPath: string;
  /** The server's certificate, for `localhost` and `127.0.0.1`. */
  readonly certPath: string;
  /** The server's key. */
  readonly keyPath: string;
}

const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/**
 * Makes an authority and a server's certificate in a folder.
 *
 * @throws {Error} `openssl` is missing or refused; the message has its words
 */
export async function makeCertificates(folder: string): Promise<Certificates> {
  const file = (name: string): string => join(folder, name);
  await Deno.writeTextFile(
    file("extensions"),
    "basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n",
  );
  const authority = ["-x509", "-subj", "/CN=Test authority", "-days", "2"];
  await openssl(["req", ...authority, ...EC, "-keyout", file("ca.key"), "-out", file("ca.pem")]);
  const pair = await issueCertificate(folder, {});
  return { caPath: file("ca.pem"), ...pair };
}

/** What certificate is made. */
export interface IssueOptions {
  /** What precedes the names of its files. @default nothing */
  readonly prefix?: string;
  /** For how many days it is valid from now on; negative for one that has expired. @default 2 */
  readonly days?: number;
  /** The curve of its key. @default prime256v1 */
  readonly curve?: string;
}

/** Makes another certificate of the authority that {@linkcode makeCertificates} made before. */
export async function issueCertificate(
  folder: string,
  { prefix = "", days = 2, curve = "prime256v1" }: IssueOptions,
): Promise<Pick<Certificates, "certPath" | "keyPath">> {
  const file = (name: string): string => join(folder, name);
  const [certPath, keyPath] = [file(`${prefix}cert.pem`), file(`${prefix}key.pem`)];
  const key = ["-newkey", "ec", "-pkeyopt", `ec_paramgen_curve:${curve}`, "-nodes"];
  const csr = ["-subj", "/CN=localhost", "-keyout", keyPath, "-out", file("csr.pem")];
  await openssl(["req", ...csr, ...key]);
  const signer = ["-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-CAcreateserial"];
  const leaf = ["-days", `${days}`, "-in", file("csr.pem"), "-extfile", file("extensions")];
  await openssl(["x509", "-req", ...signer, ...leaf, "-out", certPath]);
  return { certPath, keyPath };
}

async function openssl(args: string[]): Promise<void> {
  const { success, stderr } = await run("openssl", { args });
  if (!success) throw new Error(`Cannot run openssl ${args[0]}: ${stderr}`);
}
