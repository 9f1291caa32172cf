/**
 * One process to a folder.
 *
 * @module
 */

import { ServiceError } from "../errors.ts";
import { isMissing } from "../files.ts";

/** How long the lock of another process is waited for, in milliseconds: it may just be ending. */
const LOCK_WAIT_MS = 2000;

/**
 * Takes a folder for this process: two would each clear what the other has under way.
 *
 * @param path The file that stands for it; made where it is missing.
 * @param directory What the folder is called in the error.
 * @returns Holds the folder until it is closed.
 * @throws {ServiceError} `storage-failed` where another process has it, or it is no file.
 */
export async function lockFile(path: string, directory: string): Promise<Deno.FsFile> {
  const file = await openPlain(path);
  let timer;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), LOCK_WAIT_MS);
  });
  // The system frees it when the process ends, however it ends.
  const lock = file.lock(true);
  try {
    if (await Promise.race([lock, late]) !== "late") return file;
  } catch (error) {
    file.close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
  // It cannot be taken back: what comes too late is given free at once.
  void lock.catch(() => {}).finally(() => file.close());
  throw new ServiceError(
    "storage-failed",
    `Cache folder "${directory}" is used by another process: end that one, or name another folder`,
  );
}

/** A pipe would be waited for without end, and a link may lead to what others lock. */
async function openPlain(path: string): Promise<Deno.FsFile> {
  try {
    if (!(await Deno.lstat(path)).isFile) throw new Error(`"${path}" is no plain file: remove it`);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  return await Deno.open(path, { write: true, create: true });
}
