/**
 * HTTP as bytes on a socket, for what `fetch` hides: framing, and how many writes an answer took.
 *
 * @module
 */

/** An answer, taken apart no further than to its head and body. */
export interface RawAnswer {
  /** Status line and headers, with the empty line. */
  readonly head: string;
  /** Status code. */
  readonly status: number;
  /** Headers by their names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** As many bytes as `content-length` says; none for HEAD. */
  readonly body: Uint8Array;
  /** How many reads it took. */
  readonly reads: number;
}

/** A kept-alive connection. */
export class RawConnection implements Disposable {
  readonly #socket: Deno.Conn;
  #buffered = new Uint8Array();

  private constructor(socket: Deno.Conn) {
    this.#socket = socket;
  }

  /** Connects to a port of the loopback interface. */
  static async open(port: number): Promise<RawConnection> {
    return new RawConnection(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Sends text as it is and reads one answer. @throws {Error} The connection ends before. */
  async ask(request: string): Promise<RawAnswer> {
    await this.send(request);
    return await this.answer({ hasBody: !/^\s*HEAD /.test(request) });
  }

  /** Sends text as it is. */
  async send(request: string): Promise<void> {
    const writer = this.#socket.writable.getWriter();
    await writer.write(new TextEncoder().encode(request));
    writer.releaseLock();
  }

  /** Reads one answer. @throws {Error} The connection ends before. */
  async answer({ hasBody }: { readonly hasBody: boolean }): Promise<RawAnswer> {
    let reads = 0;
    const more = async (): Promise<void> => {
      reads++;
      if (!await this.#read()) throw new Error(`Cut: ${new TextDecoder().decode(this.#buffered)}`);
    };
    let end;
    while ((end = indexOfEmptyLine(this.#buffered)) === -1) await more();
    const head = new TextDecoder().decode(this.#take(end));
    const headers = new Map(
      head.trim().split("\r\n").slice(1).map((line) => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    const length = hasBody ? Number(headers.get("content-length")) : 0;
    while (this.#buffered.length < length) await more();
    return { head, status: Number(head.slice(9, 12)), headers, body: this.#take(length), reads };
  }

  /** Whether the server closes the connection without another byte. */
  async isClosed(): Promise<boolean> {
    return this.#buffered.length === 0 && !await this.#read();
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  async #read(): Promise<boolean> {
    const chunk = new Uint8Array(65536);
    const count = await this.#socket.read(chunk);
    if (count === null) return false;
    const joined = new Uint8Array(this.#buffered.length + count);
    joined.set(this.#buffered);
    joined.set(chunk.subarray(0, count), this.#buffered.length);
    this.#buffered = joined;
    return true;
  }

  #take(length: number): Uint8Array {
    const taken = this.#buffered.slice(0, length);
    this.#buffered = this.#buffered.slice(length);
    return taken;
  }
}

/** Where the body begins; -1 where the head is not complete. */
function indexOfEmptyLine(bytes: Uint8Array): number {
  const at = new TextDecoder("latin1").decode(bytes).indexOf("\r\n\r\n");
  return at === -1 ? -1 : at + 4;
}
