/**
 * Passes bytes between a client's connection and a server's, both ways, until they are over.
 *
 * @module
 */

/** What an idle connection holds for each direction, in bytes: thousands may be idle. */
const SMALL_BUFFER_BYTES = 4 * 1024;

/** What a busy one holds, in bytes: larger ones were not faster. */
const LARGE_BUFFER_BYTES = 64 * 1024;

/** So long a client may take to close a connection that the server has closed, in milliseconds. */
const LINGER_MS = 1000;

/** What a relay needs of a connection. */
export type RelayedConnection = Pick<Deno.Conn, "read" | "write" | "closeWrite" | "close">;

/** Options of {@linkcode relay}. */
export interface RelayOptions {
  /** How long an end may take nothing of what it is sent, in milliseconds. */
  readonly idleMs: number;
}

/**
 * Joins two connections. Each is read no faster than the other takes it, so that whoever sends
 * notices a reader that stops.
 *
 * @param client Who asks; may go on reading after it has said all. Closed at the end.
 * @param server Who answers; once it has said all, the end is near. Closed at the end.
 * @param options How patient it is.
 * @returns When both are closed. It never fails: that a connection breaks is how many end.
 */
export async function relay(
  client: RelayedConnection,
  server: RelayedConnection,
  { idleMs }: RelayOptions,
): Promise<void> {
  // Closing both ends what is waited for in either direction.
  const close = (): void => [client, server].forEach(closeIfOpen);
  const pass = async (from: RelayedConnection, to: RelayedConnection): Promise<void> => {
    try {
      await copy(from, to, { idleMs, giveUp: close });
      await to.closeWrite();
    } catch {
      close();
    }
  };
  const asking = pass(client, server);
  await pass(server, client);
  // Closed at once, what the client has not received yet could be lost to it (RFC 9112, 9.6).
  const timer = setTimeout(close, LINGER_MS);
  await asking;
  clearTimeout(timer);
  close();
}

async function copy(
  from: RelayedConnection,
  to: RelayedConnection,
  { idleMs, giveUp }: { readonly idleMs: number; readonly giveUp: () => void },
): Promise<void> {
  let buffer = new Uint8Array(SMALL_BUFFER_BYTES);
  for (let count; (count = await from.read(buffer)) !== null;) {
    for (let written = 0; written < count;) {
      const timer = setTimeout(giveUp, idleMs);
      try {
        written += await to.write(buffer.subarray(written, count));
      } finally {
        clearTimeout(timer);
      }
    }
    const size = count < SMALL_BUFFER_BYTES ? SMALL_BUFFER_BYTES : LARGE_BUFFER_BYTES;
    if (size !== buffer.length) buffer = new Uint8Array(size);
  }
}

function closeIfOpen(connection: RelayedConnection): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
