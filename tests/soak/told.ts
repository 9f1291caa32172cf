/**
 * What a device is told of a firmware before it downloads it, in both forms of `/version`.
 *
 * @module
 */

import type { Claim } from "./catalogue.ts";

/** What a device was told of, by whom, and when. */
export interface Told extends Claim {
  readonly version: string;
  readonly crc32: number;
  readonly size: number;
  /** Which process said so. */
  readonly life: number;
  /** When it was asked, by the steady clock. */
  readonly atMs: number;
}

/** What is in the answer itself. */
export type Announced = Omit<Told, "life" | "atMs">;

/** Reads three lines, as devices do. */
export function parseLines(text: string): Announced {
  const [version = "", crc32, size] = text.split("\n");
  return { version, crc32: Number(crc32), size: Number(size) };
}

/** Reads an object. */
export function parseObject(text: string): Announced {
  const { version, crc32, size, sha256, digest } = JSON.parse(text);
  return { version, crc32, size, sha256, digest };
}

/** What a device that reads no tags knows a firmware by. */
export function nameOf({ version, crc32, size }: Announced): string {
  return `${version} ${crc32} ${size}`;
}
