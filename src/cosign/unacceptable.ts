/**
 * Why a signature does not count.
 *
 * @module
 */

/** So much is repeated of what a stranger wrote. */
const QUOTE_LIMIT = 100;

/** A signature does not count; the message says why, to follow "found". */
export class Unacceptable extends Error {
  /** Always `Unacceptable`. */
  override readonly name = "Unacceptable";
}

/**
 * Repeats what a stranger wrote: short, and on one line.
 *
 * @param text Anything.
 * @returns It in quotes.
 */
export function quote(text: string): string {
  return JSON.stringify(text.length > QUOTE_LIMIT ? `${text.slice(0, QUOTE_LIMIT)}…` : text);
}
