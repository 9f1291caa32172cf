/**
 * What a process takes of the machine.
 *
 * @module
 */

/** A process at rest. */
export interface Footprint {
  /** Resident memory in MiB. */
  readonly memoryMiB: number;
  /** Open file descriptors. */
  readonly descriptors: number;
  /** The open files below a folder, by their paths in it. */
  readonly openFiles: readonly string[];
}

/**
 * Looks at a process.
 *
 * @param folder Whose files are told by name.
 */
export async function footprintOf(pid: number, folder: string): Promise<Footprint> {
  const [, kiB] = /^VmRSS:\s+(\d+)/m.exec(await Deno.readTextFile(`/proc/${pid}/status`)) ?? [];
  let descriptors = 0;
  const openFiles = [];
  for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
    descriptors++;
    const path = await Deno.readLink(`/proc/${pid}/fd/${name}`).catch(() => "");
    if (path.startsWith(`${folder}/`)) openFiles.push(path.slice(folder.length + 1));
  }
  return { memoryMiB: Number(kiB) / 1024, descriptors, openFiles };
}
