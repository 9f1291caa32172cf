/**
 * Tools out of PyPI's packages, without a change to the user's system: they are unpacked into the
 * tests' own cache and run from there.
 *
 * @module
 */
import { join } from "node:path";
import { makeOnce, run, testsCache } from "./cache.ts";
import type { Unavailable } from "./debian.ts";

/** A package that can be used. */
export interface PypiPackage {
  /** The folder of its programs. */
  readonly bin: string;
  /** What Python needs in its environment to find it. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Brings a package and all that it needs, which takes `python3` with pip.
 *
 * @param name The package.
 * @param version Just this version.
 * @returns The package, or the reason why it cannot be had here.
 */
export async function pypiPackage(
  name: string,
  version: string,
): Promise<PypiPackage | Unavailable> {
  const requirement = `${name}==${version}`;
  let reason: string | undefined;
  const folder = join(testsCache(), "pypi", requirement);
  try {
    await makeOnce(folder, async (draft) => {
      const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
      const { success, stderr } = await run("python3", {
        // Nothing is built here: only what its makers built.
        args: [...pip, "--only-binary", ":all:", "--target", draft, requirement],
      });
      if (success) return;
      reason = stderr.trim().split("\n").at(-1) ?? "it failed without a word";
      throw new Error(reason);
    });
  } catch (error) {
    if (reason === undefined) throw error;
    return { skip: `Cannot bring "${requirement}" from PyPI: ${reason}` };
  }
  return { bin: join(folder, "bin"), env: { PYTHONPATH: folder } };
}
