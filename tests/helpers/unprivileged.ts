/**
 * The service as a user whom the system may refuse a file: root is refused none.
 *
 * @module
 */

import { join } from "node:path";
import { run } from "./cache.ts";
import { type SubjectCommand, subjectCommand } from "./subject.ts";

/** Nobody's number, and that of nobody's group. */
const NOBODY = 65534;

const DROP = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];

/** Why tests that need such a user are ignored; it is said once. */
export const cannotDropPrivileges = !await canDrop();

/**
 * A command that starts the service as a user with no privilege.
 *
 * @param folder Takes the program where it has to be brought to where that user can read it.
 */
export async function unprivilegedSubject(folder: string): Promise<SubjectCommand> {
  const subject = await subjectCommand();
  if (Deno.uid() !== 0) return subject;
  const program = join(folder, "program");
  await Deno.mkdir(program);
  const path = join(program, "main.js");
  const source = join(import.meta.dirname ?? ".", "..", "..", "main.ts");
  const bundled = await run(Deno.execPath(), {
    args: ["bundle", "--quiet", "--output", path, source],
  });
  if (!bundled.success) throw new Error(`Cannot bundle the service: ${bundled.stderr}`);
  await giveToNobody(folder);
  const allowed = ["net", "read", "write", "env"].map((name) => `--allow-${name}`);
  const args = ["run", "--no-prompt", "--no-config", ...allowed, path];
  return {
    command: "setpriv",
    args: [...DROP, "env", `HOME=${program}`, `DENO_DIR=${program}`, Deno.execPath(), ...args],
  };
}

/** Makes a folder with all in it that user's, where it is another than ours. */
export async function giveToNobody(folder: string): Promise<void> {
  if (Deno.uid() === 0) await run("chown", { args: ["-R", `${NOBODY}:${NOBODY}`, folder] });
}

/** Makes a file or a folder unusable for that user. */
export async function takeAway(path: string): Promise<void> {
  if (Deno.uid() === 0) await Deno.chown(path, 0, 0);
  await Deno.chmod(path, 0);
}

async function canDrop(): Promise<boolean> {
  if (Deno.uid() !== 0) return true;
  const tried = await run("setpriv", { args: [...DROP, Deno.execPath(), "--version"] });
  if (tried.success) return true;
  const line = `Tests of what the system refuses are skipped: ${tried.stderr.trim()}\n`;
  Deno.stderr.writeSync(new TextEncoder().encode(line));
  return false;
}
