/**
 * A command under way.
 *
 * @module
 */

import { TextLineStream } from "../lines.ts";

/** Far longer than any command takes: one that waits for somebody to type is ended, and fails. */
const PATIENCE_MS = 60_000;

/** How a command ended, or has begun. */
export interface Outcome {
  /** All that it has printed. */
  readonly stdout: string;
  /** All that it has complained of. */
  readonly stderr: string;
  /** Its exit status; undefined while it stays. */
  readonly code: number | undefined;
}

/** A command under way, with all that it starts. */
export class Resident {
  readonly #process: Deno.ChildProcess;
  readonly #waiting = new Set<() => void>();
  readonly #reading: Promise<unknown>;
  readonly #stdout: string[] = [];
  readonly #stderr: string[] = [];
  #hasEnded = false;

  /**
   * Reads what it prints.
   *
   * @param process Detached, so that all that it starts ends with it; its outputs are piped.
   */
  constructor(process: Deno.ChildProcess) {
    this.#process = process;
    const late = setTimeout(() => this.#kill(), PATIENCE_MS);
    this.#reading = Promise.all([
      this.#read(process.stdout, this.#stdout),
      this.#read(process.stderr, this.#stderr),
    ]).then(() => {
      clearTimeout(late);
      this.#hasEnded = true;
      this.#wake();
    });
  }

  /** All that it has printed so far. */
  get printed(): { readonly stdout: string; readonly stderr: string } {
    return { stdout: this.#stdout.join("\n"), stderr: this.#stderr.join("\n") };
  }

  /** Waits for a line. @throws {Error} It ended without */
  async until(sign: RegExp): Promise<void> {
    while (![...this.#stdout, ...this.#stderr].some((line) => sign.test(line))) {
      if (this.#hasEnded) {
        throw new Error(`Ended without ${sign}: ${JSON.stringify(this.printed)}`);
      }
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Waits for its end. */
  async ended(): Promise<Outcome> {
    const [{ code }] = await Promise.all([this.#process.status, this.#reading]);
    return { ...this.printed, code };
  }

  /** Ends it, with all that it has started, and waits. */
  async end(): Promise<void> {
    this.#kill();
    await this.ended();
  }

  #kill(): void {
    if (this.#hasEnded) return;
    try {
      // A group of its own goes by the number of its first process.
      Deno.kill(-this.#process.pid, "SIGTERM");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // It has ended by itself.
    }
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>, lines: string[]): Promise<void> {
    const texts = stream.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
    for await (const line of texts) {
      lines.push(line);
      this.#wake();
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
