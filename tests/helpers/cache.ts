/**
 * Where the tests keep what is costly to bring or to build: outside the tree and outside the system.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";

/** The folder of the user's cache that belongs to these tests; nothing else is ever written to. */
export function testsCache(): string {
  const home = Deno.env.get("HOME") ?? "/tmp";
  return join(Deno.env.get("XDG_CACHE_HOME") || join(home, ".cache"), "otaflux-tests");
}

/** Whether there is a file or folder at `path`. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw error;
  }
}

/** Runs `work` while no other test process holds the lock file at `path`. */
export async function underLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  await Deno.mkdir(dirname(path), { recursive: true });
  using file = await Deno.open(path, { create: true, write: true });
  // The kernel lets go of the lock when the file is closed, also when this process is killed.
  await file.lock(true);
  return await work();
}

/**
 * The file or folder at `path`, made on first use: `make` fills a draft beside it that takes its
 * place by a rename. What is there is therefore whole, and made once by however many processes ask.
 *
 * @returns `path`
 */
export async function makeOnce(
  path: string,
  make: (draft: string) => Promise<void>,
): Promise<string> {
  if (await exists(path)) return path;
  return await underLock(`${path}.lock`, async () => {
    if (await exists(path)) return path;
    // Of the same ending: deno bundle mends calls of require() in files called *.js only.
    const draft = join(dirname(path), `draft-${basename(path)}`);
    // Left by a run that was interrupted: nobody else writes here while we hold the lock.
    await removeAll(draft);
    try {
      await make(draft);
      await Deno.rename(draft, path);
    } finally {
      await removeAll(draft);
    }
    return path;
  });
}

/** Removes the file or folder at `path`, if there is one. */
export async function removeAll(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** What a command that was run to its end left behind. */
export interface Finished {
  /** Whether the command could be started and ended with status 0. */
  readonly success: boolean;
  readonly stdout: string;
  /** What it wrote to its standard error, or why it could not be started. */
  readonly stderr: string;
}

/** Runs `command` to its end with nothing on its input; a command that is missing is no exception. */
export async function run(
  command: string,
  options: Pick<Deno.CommandOptions, "args" | "env" | "cwd"> = {},
): Promise<Finished> {
  const text = new TextDecoder();
  try {
    const { success, stdout, stderr } = await new Deno.Command(command, {
      ...options,
      // Its words may end up in a message of ours.
      env: { NO_COLOR: "1", ...options.env },
      stdin: "null",
    }).output();
    return { success, stdout: text.decode(stdout), stderr: text.decode(stderr) };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { success: false, stdout: "", stderr: `"${command}" is not installed` };
  }
}
