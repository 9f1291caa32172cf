/**
 * A bar that shows how far a download has come, for terminals.
 *
 * @module
 */

/** Characters of the bar. */
const WIDTH = 30;

/** Back to the beginning of the line, and nothing in it (ECMA-48: CR, EL). */
const CLEAR_LINE = "\r\x1b[K";

/** Draws over its own line, each time that another hundredth has come. */
export class ProgressBar {
  readonly #total: number;
  readonly #write: (text: string) => void;
  #done = 0;
  #percent = -1;

  /**
   * Draws the empty bar.
   *
   * @param total How many bytes will come.
   * @param write Takes text for the terminal.
   */
  constructor(total: number, write: (text: string) => void) {
    this.#total = total;
    this.#write = write;
    this.advance(0);
  }

  /**
   * Draws what has changed.
   *
   * @param bytes How many more have come.
   */
  advance(bytes: number): void {
    this.#done += bytes;
    // More may come than was said: that is found wrong elsewhere.
    const percent = Math.min(100, Math.floor(this.#done / Math.max(1, this.#total) * 100));
    if (percent === this.#percent) return;
    this.#percent = percent;
    const bar = "#".repeat(Math.round(percent / 100 * WIDTH)).padEnd(WIDTH, ".");
    const done = formatMegabytes(this.#done);
    this.#write(
      `${CLEAR_LINE}[${bar}] ${`${percent}`.padStart(3)} %  ${done} of ${
        formatMegabytes(this.#total)
      } MB`,
    );
  }

  /** Takes the bar away. */
  end(): void {
    this.#write(CLEAR_LINE);
  }
}

function formatMegabytes(bytes: number): string {
  return (bytes / 1_000_000).toFixed(1);
}
