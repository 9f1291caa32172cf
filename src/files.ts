/**
 * Files that are either whole or not there, whenever the power goes.
 *
 * @module
 */

import { ServiceError } from "./errors.ts";

/**
 * Writes a small file so that under its name stands the old content or the new, never a mix.
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
      {
        using file = await Deno.open(draftPath, { write: true, create: true, truncate: true });
        await writeAll(file, bytes);
        await file.sync();
      }
      await Deno.rename(draftPath, path);
    } catch (error) {
      await removeIfThere(draftPath);
      throw error;
    }
  });
}

/**
 * Writes all of some bytes.
 *
 * @param file Where to.
 * @param bytes What.
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
 */
export async function syncFolder(path: string): Promise<void> {
  using folder = await Deno.open(path, { read: true });
  await folder.sync();
}

/**
 * Removes a file or a folder with all in it, if it is there.
 *
 * @param path Its name.
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
 * Gives what goes wrong while something is stored its code: a full disk, a read-only one, a quota.
 *
 * @param work What stores.
 * @returns Its outcome.
 * @throws {ServiceError} `storage-failed`
 */
export async function storing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof ServiceError) throw cause;
    throw new ServiceError("storage-failed", "Firmware cannot be stored", { cause });
  }
}
