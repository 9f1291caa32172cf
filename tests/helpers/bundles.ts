/**
 * Updates as RAUC and SWUpdate install them, made by their own tools.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { type Finished, run } from "./cache.ts";
import type { DebianTool } from "./debian.ts";
import { sha256Of } from "./disk.ts";

/** A certificate of its own, with its key. */
export interface Signer {
  /** PEM. */
  readonly certificate: string;
  /** PEM. */
  readonly key: string;
}

/** Makes who signs, by files in a folder. */
export async function makeSigner(folder: string): Promise<Signer> {
  const [certificate, key] = [join(folder, "certificate.pem"), join(folder, "key.pem")];
  await must("openssl", [
    ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"],
    ...["-addext", "extendedKeyUsage=emailProtection"],
    ...["-addext", "keyUsage=digitalSignature,keyCertSign"],
    ...["-keyout", key, "-out", certificate],
  ]);
  return { certificate, key };
}

/** RAUC with the tool that it needs to make bundles. */
export function raucEnv(rauc: DebianTool, mksquashfs: DebianTool): Record<string, string> {
  const libraries = [rauc, mksquashfs].map(({ env }) => env.LD_LIBRARY_PATH ?? "")
    .filter((path) => path !== "");
  return {
    PATH: `${dirname(mksquashfs.path)}:/usr/bin:/bin`,
    ...(libraries.length > 0 && { LD_LIBRARY_PATH: libraries.join(":") }),
  };
}

/** What a bundle or an image is made of. */
export interface BundleOptions {
  /** A folder to work in. */
  readonly folder: string;
  /** The only file in it. */
  readonly content: Uint8Array;
  /** Who signs. */
  readonly signer: Signer;
}

/** Makes a RAUC bundle for `pump`, version 1.2.3. */
export async function makeRaucBundle(
  rauc: DebianTool,
  mksquashfs: DebianTool,
  { folder, content, signer }: BundleOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const input = join(folder, "bundle");
  await Deno.mkdir(input);
  await Deno.writeFile(join(input, "rootfs.img"), content);
  await Deno.writeTextFile(
    join(input, "manifest.raucm"),
    "[update]\ncompatible=pump\nversion=1.2.3\n\n[bundle]\nformat=verity\n\n" +
      "[image.rootfs]\nfilename=rootfs.img\n",
  );
  const output = join(folder, "pump.raucb");
  const key = ["--cert", signer.certificate, "--key", signer.key];
  await must(rauc.path, [...key, "bundle", input, output], raucEnv(rauc, mksquashfs));
  return await Deno.readFile(output);
}

/** Makes an image for SWUpdate that writes its content to a file. */
export async function makeSwuImage(
  cpio: DebianTool,
  { folder, content, signer, target }: BundleOptions & { readonly target: string },
): Promise<Uint8Array<ArrayBuffer>> {
  const [description, signature] = ["sw-description", "sw-description.sig"]
    .map((name) => join(folder, name));
  const file = `{ filename = "pump.bin"; path = "${target}"; sha256 = "${sha256Of(content)}"; }`;
  await Deno.writeTextFile(
    description ?? "",
    `software = { version = "1.2.3"; hardware-compatibility: [ "1" ]; files: ( ${file} ); }`,
  );
  await Deno.writeFile(join(folder, "pump.bin"), content);
  await must("openssl", [
    ...["cms", "-sign", "-binary", "-nosmimecap", "-outform", "DER"],
    ...["-in", description ?? "", "-out", signature ?? ""],
    ...["-signer", signer.certificate, "-inkey", signer.key],
  ]);
  // The order counts; only its input says which files.
  const script = 'cd "$0" && printf "%s\\n" sw-description sw-description.sig pump.bin | ' +
    '"$1" --quiet -o -H crc > pump.swu';
  await must("sh", ["-c", script, folder, cpio.path], cpio.env);
  return await Deno.readFile(join(folder, "pump.swu"));
}

async function must(
  command: string,
  args: string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  const finished = await run(command, { args, env });
  if (!finished.success) throw new Error(`${command} ${args.join(" ")}: ${finished.stderr}`);
  return finished;
}
