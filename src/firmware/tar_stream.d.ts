/**
 * The part of tar-stream 3 that is used here. The types that others publish for it bring those of
 * Node along, which differ from Deno's for the whole project.
 */

import type { Writable } from "node:stream";

/** What stands before an entry. */
export interface Headers {
  /** Path within the archive. */
  readonly name: string;
  /** In bytes; no number where it is spelt in a way that the reader does not know. */
  readonly size: number;
  /** Null for a kind that the reader does not know. */
  readonly type: string | null;
  /** Extended attributes (POSIX.1-2001). */
  readonly pax: Readonly<Record<string, string>> | null;
}

/** An entry, which is to be read or resumed before the next one comes. */
export interface Entry extends AsyncIterable<Uint8Array> {
  /** What it is. */
  readonly header: Headers;
  /** Passes over its bytes. */
  resume(): void;
}

/** Takes an archive and gives its entries. */
export type Extract = Writable & AsyncIterable<Entry>;

/** Makes a reader of one archive. */
export function extract(): Extract;
