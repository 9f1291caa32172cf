/**
 * A disk that is soon full, where this machine lets us mount one.
 *
 * @module
 */

/** Whether tests that need a small disk are ignored: it is said once why. */
export const cannotMount = !await canMount();

/** A file system in memory that is soon full. */
export async function mountSmallDisk(folder: string, size = "1m"): Promise<AsyncDisposable> {
  const failure = await run("mount", "-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder);
  if (failure !== undefined) throw new Error(`Cannot mount a small disk: ${failure}`);
  return {
    [Symbol.asyncDispose]: async (): Promise<void> => {
      if (await run("umount", folder) !== undefined) await run("umount", "-l", folder);
    },
  };
}

async function canMount(): Promise<boolean> {
  const folder = await Deno.makeTempDir({ prefix: "otaflux-mount-" });
  try {
    await using _disk = await mountSmallDisk(folder);
    return true;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const line = `Tests that need a small disk are skipped: ${error.message}\n`;
    Deno.stderr.writeSync(new TextEncoder().encode(line));
    return false;
  } finally {
    await Deno.remove(folder);
  }
}

/** Why a command has failed; undefined where it has not. */
async function run(command: string, ...args: readonly string[]): Promise<string | undefined> {
  try {
    const { success, stderr } = await new Deno.Command(command, { args: [...args] }).output();
    return success ? undefined : new TextDecoder().decode(stderr).trim();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return `"${command}" is not installed`;
  }
}
