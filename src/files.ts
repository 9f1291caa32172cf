/**
 * Files that are either whole or not there, whenever the power goes.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { describeError, ServiceError } from "./errors.ts";

/**
 * A name for a file of a device. A device id holds slashes, and may be longer than a file's name.
 *
 * @param device A device id.
 * @returns Its SHA-256 in hex.
 */
export function fileNameOf(device: string): string {
  return createHash("sha256").update(device).digest("hex");
}

/**
 * Writes a small file so that under its name stands the old content or the new, never a mix. What
 * stands where it is drafted goes: to write through a link would be to write over a file of others.
 *
 * @param path The file's name.
 * @param content What is written.
 * @param draftPath A name on the same file system for the time until it is complete.
 * @throws {ServiceError} `storage-failed`
 */
export async function writeWhole(
  path: string,
  content: Uint8Array | string,
  draftPath: string,
): Promise<void> {
  await storing(async () => {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    try {
      const file = await createAnew(draftPath);
      try {
        await writeAll(file, bytes);
        await file.sync();
      } finally {
        file.close();
      }
      await Deno.rename(draftPath, path);
    } catch (error) {
      await removeIfThere(draftPath);
      throw error;
    }
  });
}

async function createAnew(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path, { write: true, createNew: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    await removeIfThere(path);
    return await Deno.open(path, { write: true, createNew: true });
  }
}

/**
 * Makes a folder of ours, with those above it, where it is missing.
 *
 * @param path Its name.
 * @throws {Error} It cannot be made, or is a link: what is written and cleared behind it may be of
 * others.
 */
export async function makeFolder(path: string): Promise<void> {
  await Deno.mkdir(path, { recursive: true });
  if (await isFolder(path)) return;
  throw new Error(`"${path}" is a link, want a folder of its own: remove the link`);
}

/**
 * Tells whether a folder is where it seems to be.
 *
 * @param path Its name.
 * @returns Whether it is there, and no link.
 */
export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.lstat(path)).isDirectory;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** No file of ours that is read whole is nearly as long, in bytes: a note has some hundreds. */
const NOTE_LIMIT_BYTES = 8 * 1024 * 1024;

/**
 * Reads a small file of ours. What stands in its place may be anything: a pipe would be waited for
 * without end, and a link may lead to what has none.
 *
 * @param path The file's name.
 * @returns Its text.
 * @throws {Deno.errors.InvalidData} It is no plain file, or far too long.
 */
export async function readNote(path: string): Promise<string> {
  const { isFile, size } = await Deno.lstat(path);
  if (isFile && size <= NOTE_LIMIT_BYTES) return await Deno.readTextFile(path);
  throw new Deno.errors.InvalidData(
    `${path} is no plain file of ${NOTE_LIMIT_BYTES} bytes at most`,
  );
}

/**
 * Writes all of some bytes.
 *
 * @param file Where to.
 * @param bytes What.
 * @throws {Error} What the system says, such as that the disk is full.
 */
export async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await file.write(bytes.subarray(written));
  }
}

/**
 * Makes the names in a folder durable: a rename is in the folder, not in the file.
 *
 * @param path The folder.
 * @throws {Error} It is not there, or the disk fails.
 */
export async function syncFolder(path: string): Promise<void> {
  const folder = await Deno.open(path, { read: true });
  try {
    await folder.sync();
  } finally {
    folder.close();
  }
}

/**
 * Removes a file or a folder with all in it, if it is there.
 *
 * @param path Its name.
 * @throws {Error} It is there, and cannot be removed.
 */
export async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/**
 * Tells whether an error says that a file is not there.
 *
 * @param error Anything that was thrown.
 * @returns Whether it does.
 */
export function isMissing(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
}

/**
 * Says why a file of the operator's cannot be read, and what to do where that is not plain.
 *
 * @param error What was thrown.
 * @returns One line without full stop.
 */
export function describeReadError(error: unknown): string {
  const next = error instanceof Deno.errors.PermissionDenied
    ? ", want it readable by the user that runs OtaFlux"
    : "";
  return `${describeError(error)}${next}`;
}

/**
 * Gives what goes wrong while something is stored its code: a full disk, a read-only one, a quota.
 *
 * @param work What stores.
 * @param failure What is said then, without full stop: a device may see it.
 * @returns Its outcome.
 * @throws {ServiceError} `storage-failed`
 */
export async function storing<T>(
  work: () => Promise<T>,
  failure = "Firmware cannot be stored",
): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof ServiceError) throw cause;
    throw new ServiceError("storage-failed", failure, { cause });
  }
}
