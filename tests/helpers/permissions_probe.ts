/**
 * A program that is run with the service's permissions, and says which things it may do before and
 * after it has kept only what its arguments name.
 *
 * @module
 */

import { keepOnly } from "../../src/permissions.ts";

/** What is tried. Nothing of it must do any harm where it is allowed. */
const ATTEMPTS: Readonly<Record<string, () => unknown>> = {
  read: () => Deno.readTextFileSync("/etc/hostname"),
  write: () => Deno.writeTextFileSync("/nowhere/file", ""),
  // Of the kernel's own files, one shows every secret of the environment.
  kernel: () => Deno.readTextFileSync("/proc/self/environ"),
  env: () => Deno.env.get("REGISTRY_PASSWORD"),
  otherEnv: () => Deno.env.get("HOME"),
  net: () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close(),
  run: () => new Deno.Command("/bin/true").outputSync(),
  ffi: () => Deno.dlopen("/nowhere.so", {}),
  sys: () => Deno.hostname(),
};

function isAllowed(attempt: () => unknown): boolean {
  try {
    attempt();
    return true;
  } catch (error) {
    // What fails for another reason has been allowed.
    return !(error instanceof Deno.errors.NotCapable);
  }
}

function allowed(): string[] {
  return Object.keys(ATTEMPTS).filter((name) => isAllowed(ATTEMPTS[name] ?? (() => {})));
}

const before = allowed();
keepOnly({ read: Deno.args.includes("read"), write: Deno.args.includes("write") });
const report = JSON.stringify({ before, after: allowed() });
Deno.stdout.writeSync(new TextEncoder().encode(report));
