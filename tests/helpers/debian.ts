/**
 * Real servers out of Debian's packages, without a change to the user's system: what is not
 * installed is unpacked into the tests' own cache and run from there.
 *
 * @module
 */
import { join } from "node:path";
import { exists, makeOnce, removeAll, run, testsCache, underLock } from "./cache.ts";

/** A program that can be run. */
export interface DebianTool {
  /** The program's file. */
  readonly path: string;
  /** What the program needs in its environment to find its shared libraries; often nothing. */
  readonly env: Readonly<Record<string, string>>;
  /** The folder that stands for `/`: the package's configuration lies under its `etc`. */
  readonly root: string;
}

/** Why a program could not be had, in one line: fit for a test that is ignored. */
export interface Unavailable {
  readonly skip: string;
}

/** Settings of {@linkcode debianTool}. */
export interface DebianToolOptions {
  /**
   * The program's file name.
   *
   * @default The package's name
   */
  readonly binary?: string;
  /**
   * Folders in which an installed program is looked for.
   *
   * @default Those of `PATH`, then the system's own, which a user's `PATH` often leaves out
   */
  readonly searchPath?: readonly string[];
  /** Told one line before something is downloaded. */
  readonly announce?: (line: string) => void;
}

const SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"];

/** Where a package keeps its programs; `/bin` and `/sbin` are folders of their own before usrmerge. */
const PACKAGE_FOLDERS = ["usr/sbin", "usr/bin", "sbin", "bin"];

/** Seconds without an answer after which a mirror is given up, so that no test run hangs on it. */
const MIRROR_TIMEOUT_SECONDS = 20;

/**
 * A program of a Debian package: the installed one, else one unpacked into the tests' cache, which
 * takes `apt-get` and `dpkg-deb` but no privilege. Nothing is installed and no service is started.
 *
 * @param packageName The package, e.g. `"docker-registry"`
 * @returns The program, or the reason why it cannot be had here
 */
export async function debianTool(
  packageName: string,
  options: DebianToolOptions = {},
): Promise<DebianTool | Unavailable> {
  const { binary = packageName, searchPath = defaultSearchPath(), announce } = options;
  const installed = await firstFile(searchPath.map((folder) => join(folder, binary)));
  if (installed !== undefined) return { path: installed, env: {}, root: "/" };
  try {
    const root = await unpacked(packageName, announce);
    const path = await firstFile(PACKAGE_FOLDERS.map((folder) => join(root, folder, binary)));
    if (path === undefined) {
      return { skip: `Debian's package "${packageName}" holds no program "${binary}"` };
    }
    return { path, env: await libraryPath(root), root };
  } catch (error) {
    if (!(error instanceof PackageError)) throw error;
    return { skip: `Cannot bring "${packageName}" from Debian: ${error.message}` };
  }
}

/** A package that cannot be had; its message is the reason, one line. */
class PackageError extends Error {}

function defaultSearchPath(): string[] {
  return [...(Deno.env.get("PATH") ?? "").split(":").filter((x) => x !== ""), ...SYSTEM_FOLDERS];
}

async function firstFile(paths: string[]): Promise<string | undefined> {
  for (const path of paths) if (await exists(path)) return path;
}

/** The folder that holds the package and all that it needs beyond what is installed. */
async function unpacked(
  packageName: string,
  announce: DebianToolOptions["announce"],
): Promise<string> {
  const home = join(testsCache(), "debian", await distribution());
  return await makeOnce(join(home, packageName), async (draft) => {
    for (const tool of ["apt-get", "dpkg-deb"]) {
      const { success, stderr } = await run(tool, { args: ["--version"] });
      if (!success) throw new PackageError(lastLine(stderr));
    }
    announce?.(`Bringing "${packageName}" from Debian into ${home}`);
    await Deno.mkdir(draft);
    await underLock(join(home, "apt.lock"), async () => {
      for (const archive of await download(packageName, join(home, "apt"))) {
        const { success, stderr } = await run("dpkg-deb", { args: ["-x", archive, draft] });
        if (!success) throw new PackageError(lastLine(stderr));
      }
    });
  });
}

/** A cache made on one release must not be taken for another's after an upgrade of the system. */
async function distribution(): Promise<string> {
  const text = await Deno.readTextFile("/etc/os-release").catch(() => "");
  const field = (name: string): string =>
    new RegExp(`^${name}="?([\\w.-]+)`, "m").exec(text)?.[1] ?? "unknown";
  return `${field("ID")}-${field("VERSION_ID")}-${Deno.build.arch}`;
}

/** Downloads the package's archives, and those of what it depends on and the system lacks. */
async function download(packageName: string, state: string): Promise<string[]> {
  const archives = join(state, "archives");
  await removeAll(archives);
  for (const folder of ["lists/partial", "archives/partial"]) {
    await Deno.mkdir(join(state, folder), { recursive: true });
  }
  const config = join(state, "apt.conf");
  await Deno.writeTextFile(config, aptConfig(state));
  const apt = (...args: string[]): ReturnType<typeof run> =>
    run("apt-get", { args: ["-c", config, "-qq", ...args], env: { LC_ALL: "C.UTF-8" } });

  // A third party's broken source fails the update but not what Debian's own lists offer.
  const update = await apt("update");
  // A package that is installed somewhere out of sight would not be downloaded again otherwise.
  const install = await apt("install", "--download-only", "--reinstall", packageName);
  const refused = (reason: string): PackageError => {
    const [warning] = sentences(update.stderr);
    return new PackageError(warning === undefined ? reason : `${reason} (${warning})`);
  };
  if (!install.success) throw refused(lastLine(install.stderr));
  const files = (await Array.fromAsync(Deno.readDir(archives))).map((x) => x.name);
  const debs = files.filter((name) => name.endsWith(".deb"));
  // Success as well: a package that is installed already and that no mirror offers any more.
  if (debs.length === 0) throw refused("No mirror offers it");
  return debs.map((name) => join(archives, name));
}

/** Settings that keep every trace of apt-get inside `state`. A file, because only that can clear. */
function aptConfig(state: string): string {
  return `
    Dir::State::lists "${state}/lists";
    Dir::Cache::archives "${state}/archives";
    Dir::Cache::pkgcache "";
    Dir::Cache::srcpkgcache "";
    Debug::NoLocking "true";
    // Lets root write where its user alone may: the archives' signatures are checked all the same.
    ${Deno.uid() === 0 ? 'APT::Sandbox::User "root";' : ""}
    APT::Install-Recommends "false";
    Acquire::Languages "none";
    Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
    Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
    Acquire::Retries "1";
    Acquire::http::Timeout "${MIRROR_TIMEOUT_SECONDS}";
    Acquire::https::Timeout "${MIRROR_TIMEOUT_SECONDS}";
    // The system's hooks clean and stamp the system's folders, which are not ours.
    #clear APT::Update::Pre-Invoke;
    #clear APT::Update::Post-Invoke;
    #clear APT::Update::Post-Invoke-Success;
  `;
}

/** The one variable that a program needs to find the shared libraries that were unpacked with it. */
async function libraryPath(root: string): Promise<Record<string, string>> {
  const folders: string[] = [];
  for (const lib of ["usr/lib", "lib"]) {
    const parent = join(root, lib);
    if (!await exists(parent)) continue;
    for await (const { name } of Deno.readDir(parent)) {
      // Debian's multiarch triplet, e.g. x86_64-linux-gnu or arm-linux-gnueabihf.
      if (name.includes("-linux-gnu")) folders.push(join(parent, name));
    }
  }
  if (folders.length === 0) return {};
  const inherited = Deno.env.get("LD_LIBRARY_PATH");
  return { LD_LIBRARY_PATH: [...folders, ...(inherited ? [inherited] : [])].join(":") };
}

/** What a tool complained of, without apt-get's letter: `E: Unable to locate package x`. */
function sentences(stderr: string): string[] {
  return stderr.split("\n").filter((line) => line.trim() !== "").map((line) =>
    line.replace(/^[EW]:\s*/, "")
  );
}

/** The last complaint says the most. */
function lastLine(stderr: string): string {
  return sentences(stderr).at(-1) ?? "it failed without a word";
}
