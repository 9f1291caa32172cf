/**
 * Several parts of a firmware in one body.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-14.6
 * @module
 */

import type { ByteRange, ByteReader, FirmwareReader } from "../firmware/firmware.ts";
import { contentRange } from "./ranges.ts";

/** What a body of several parts consists of. */
export interface MultipartPlan {
  /** The value of `content-type`. */
  readonly contentType: string;
  /** The length of the whole body, in bytes. */
  readonly length: number;
  /** What stands before each part. */
  readonly heads: readonly string[];
  /** The parts. */
  readonly ranges: readonly ByteRange[];
  /** What stands at the end. */
  readonly tail: string;
}

/** What a multipart body is made of. */
export interface MultipartOptions {
  /** The parts, in the order in which they are sent. */
  readonly ranges: readonly ByteRange[];
  /** The size of the whole firmware. */
  readonly size: number;
  /** The media type of the firmware. */
  readonly contentType: string;
}

/**
 * Lays a body out.
 *
 * @param options What it is made of.
 * @returns The layout; its length is known before a byte is read.
 */
export function planMultipart({ ranges, size, contentType }: MultipartOptions): MultipartPlan {
  // As good as never among the firmware's bytes: a reader may look for it there.
  const boundary = crypto.randomUUID().replaceAll("-", "");
  const heads = ranges.map((range, index) =>
    `${index === 0 ? "" : "\r\n"}--${boundary}\r\n` +
    `Content-Type: ${contentType}\r\nContent-Range: ${contentRange(range, size)}\r\n\r\n`
  );
  const tail = `\r\n--${boundary}--\r\n`;
  const framing = heads.reduce((length, head) => length + head.length, tail.length);
  return {
    contentType: `multipart/byteranges; boundary=${boundary}`,
    length: ranges.reduce((length, { start, end }) => length + end - start, framing),
    heads,
    ranges,
    tail,
  };
}

/** Gives a body of several parts. */
export class MultipartReader implements ByteReader {
  readonly #reader: FirmwareReader;
  readonly #plan: MultipartPlan;
  #begun = 0;
  #isTailGiven = false;

  /**
   * Reads nothing yet.
   *
   * @param reader Gives the firmware; closed by {@linkcode MultipartReader.close}.
   * @param plan What is given of it.
   */
  constructor(reader: FirmwareReader, plan: MultipartPlan) {
    this.#reader = reader;
    this.#plan = plan;
  }

  /** Whether all bytes were given. */
  get isAtEnd(): boolean {
    return this.#isTailGiven;
  }

  /**
   * Reads on.
   *
   * @param maxBytes The most bytes of firmware to give.
   * @returns A part's head, some of its bytes, or the tail; undefined at the end.
   * @throws {Error} What the firmware's reader throws.
   */
  async read(maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#isTailGiven) return undefined;
    if (this.#begun > 0 && !this.#reader.isAtEnd) return await this.#reader.read(maxBytes);
    const { heads, ranges, tail } = this.#plan;
    const [head, range] = [heads[this.#begun], ranges[this.#begun]];
    if (head === undefined || range === undefined) {
      this.#isTailGiven = true;
      return new TextEncoder().encode(tail);
    }
    this.#reader.seek(range);
    this.#begun++;
    return new TextEncoder().encode(head);
  }

  /** Lets go of the firmware. */
  close(): void {
    this.#reader.close();
  }
}
