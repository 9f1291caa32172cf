/**
 * A cache folder, what is put into it, and a small disk.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { FirmwareRecord, FirmwareStore } from "../../src/firmware/firmware.ts";
import type { Digest } from "../../src/digest.ts";
import { crc32Reference } from "./firmware_bytes.ts";
import { digestOf } from "./manifest.ts";

/** Gives a test a folder of its own, and removes it. */
export async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "otaflux-store-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** SHA-256 in hex. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** MD5 in hex. */
export function md5Of(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex");
}

/** Stores a content, as the domain does. */
export async function put(
  store: Pick<FirmwareStore, "draft">,
  bytes: Uint8Array,
): Promise<string> {
  const draft = await store.draft(bytes.length);
  await draft.write(bytes.subarray(0, 7));
  await draft.write(bytes.subarray(7));
  const sha256 = sha256Of(bytes);
  await draft.commit(sha256);
  return sha256;
}

/** What is to be kept of a device whose layer is the firmware itself. */
export function recordOf(bytes: Uint8Array, version = "1.0.0"): FirmwareRecord {
  const manifest = new TextEncoder().encode(JSON.stringify({ version, of: sha256Of(bytes) }));
  const digest = digestOf(manifest) as Digest;
  const sha256 = sha256Of(bytes);
  return {
    firmware: {
      ...{ tag: `v${version}`, version, digest, size: bytes.length },
      ...{ crc32: crc32Reference(bytes), sha256, md5: md5Of(bytes) },
      ...{
        modifiedAt: new Date("2026-01-02T03:04:05Z"),
        annotations: { "a.title": version },
        files: ["app.bin"],
      },
    },
    documents: [{ digest, mediaType: "a/b", bytes: manifest }],
    layer: { digest: `sha256:${sha256}`, sha256 },
  };
}

/** All files below a folder, by their paths in it, in order. */
export async function filesOf(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (!isDirectory) files.push(name);
    else for (const file of await filesOf(`${folder}/${name}`)) files.push(`${name}/${file}`);
  }
  return files.toSorted();
}
