/**
 * What this process may do, less with each thing that it is known not to need.
 *
 * @module
 */

/** What a configuration needs of the file system once it has been read. */
export interface NeededAccess {
  /** Whether files are read. */
  readonly read: boolean;
  /** Whether files are written. */
  readonly write: boolean;
}

/**
 * Gives up for good what is not needed: reading or writing files, and the environment. Deno takes
 * permissions back only as they were granted, and paths are known at run time only, so that what is
 * needed at one place stays allowed everywhere: there the system has to keep the process in.
 *
 * @param needed What is kept.
 */
export function keepOnly(needed: NeededAccess): void {
  Deno.permissions.revokeSync({ name: "env" });
  if (!needed.read) Deno.permissions.revokeSync({ name: "read" });
  if (!needed.write) Deno.permissions.revokeSync({ name: "write" });
}
