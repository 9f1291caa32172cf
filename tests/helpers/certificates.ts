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
  const request = ["-subj", "/CN=localhost", "-keyout", file("key.pem"), "-out", file("csr.pem")];
  await openssl(["req", ...request, ...EC]);
  const signer = ["-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-CAcreateserial", "-days", "2"];
  const leaf = ["-in", file("csr.pem"), "-extfile", file("extensions"), "-out", file("cert.pem")];
  await openssl(["x509", "-req", ...signer, ...leaf]);
  return { caPath: file("ca.pem"), certPath: file("cert.pem"), keyPath: file("key.pem") };
}

async function openssl(args: string[]): Promise<void> {
  const { success, stderr } = await run("openssl", { args });
  if (!success) throw new Error(`Cannot run openssl ${args[0]}: ${stderr}`);
}
