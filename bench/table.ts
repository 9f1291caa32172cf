/**
 * The table that is printed, row by row as figures come in.
 *
 * @module
 */

/** Prints a line. */
export function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

/** Prints a row: what was measured, the figure, and what it is a ratio or difference to. */
export function row(what: string, figure: string, compared: string): void {
  say(`| ${what} | ${figure} | ${compared} |`);
}

/** A ratio as it is printed. */
export function ratio(ours: number, theirs: number): string {
  return `${(ours / theirs).toFixed(2)} ×`;
}
