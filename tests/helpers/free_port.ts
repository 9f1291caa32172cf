/**
 * A port for a program that does not choose one by itself, or for nobody at all.
 *
 * The system's own choice, port 0, is no help there: as soon as such a port is let go of, it may go
 * to the next who asks for any, and a registry that should be down answers as another test's does.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { testsCache } from "./cache.ts";

/**
 * Below the ports that systems choose from: Linux begins at 32768 (`ip_local_port_range`), others
 * at 49152 (RFC 6335, section 6).
 */
const FIRST = 20_000;
const LAST = 31_999;

/**
 * A port of the loopback interface that is free, and that neither the system nor this function
 * gives to anybody else: all processes of the tests take turns through one range, so that a port
 * comes again only after 12,000 others.
 *
 * @param path - The file with the port that was given last; those who share it share the turns
 */
export function freePort(path: string = join(testsCache(), "last-port")): number {
  Deno.mkdirSync(dirname(path), { recursive: true });
  using file = Deno.openSync(path, { read: true, write: true, create: true });
  // The kernel lets go of the lock when the file is closed, also when this process is killed.
  file.lockSync(true);
  let port = lastOf(Deno.readTextFileSync(path));
  do {
    port = port < LAST ? port + 1 : FIRST;
  } while (!isFree(port));
  Deno.writeTextFileSync(path, String(port));
  return port;
}

/**
 * Listens on such a port in this process: on the next one where a program that is none of ours was
 * faster.
 */
export function onFreePort<T>(listen: (port: number) => T): T {
  for (;;) {
    try {
      return listen(freePort());
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** What the last call gave; also where the file is new, or was spoilt. */
function lastOf(text: string): number {
  const port = Number(text);
  return Number.isInteger(port) && port >= FIRST && port <= LAST ? port : LAST;
}

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}
