/**
 * Stops a process in its tracks, as a machine does that has no time for it.
 *
 * @module
 */

/** What can be frozen: a child process, or who hands signals on to one. */
export interface Freezable {
  /** The process's number. */
  readonly pid: number;
  /** Sends it a signal. */
  kill(signal: Deno.Signal): void;
}

/**
 * Freezes a process, and waits until it is frozen: connections are still accepted, by the kernel,
 * and nobody answers. SIGCONT lets it go on.
 */
export async function freeze(process: Freezable): Promise<void> {
  process.kill("SIGSTOP");
  // The signal takes its time to reach every thread, and none but a parent's wait is told.
  while (!await isFrozen(process.pid)) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Tells whether every thread of a process has been stopped, by the state letter in `/proc`. */
async function isFrozen(pid: number): Promise<boolean> {
  for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
    const stat = await Deno.readTextFile(`/proc/${pid}/task/${name}/stat`);
    // The program's name, in parentheses, may hold anything.
    if (!/^ T/.test(stat.slice(stat.lastIndexOf(")") + 1))) return false;
  }
  return true;
}
