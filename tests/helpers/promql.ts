/**
 * Which series a query of Prometheus's names.
 *
 * @module
 */

/** A series that a query names, with the labels that it tells values of. */
export interface NamedSeries {
  readonly name: string;
  readonly labels: readonly string[];
}

/** Words of the language that stand where a name may stand. */
const WORDS = ["and", "or", "unless", "by", "without", "on", "ignoring", "bool", "offset"];

/**
 * Finds the series in a query, by its words: functions are followed by a parenthesis, lists of labels
 * follow `by` and the like, and all other words are names.
 */
export function seriesOf(query: string): NamedSeries[] {
  const named: NamedSeries[] = [];
  const plain = query
    // Lists of labels, ranges and variables of Grafana's are none; strings may hold anything.
    .replaceAll(/"(?:[^"\\]|\\.)*"/g, '""')
    .replaceAll(/\b(?:by|without|on|ignoring)\s*\([^)]*\)/g, " ")
    .replaceAll(/\[[^\]]*\]/g, " ");
  for (const match of plain.matchAll(/([A-Za-z_:][\w:]*)\s*(\{[^}]*\}|\()?/g)) {
    const [, name = "", behind = ""] = match;
    if (behind === "(" || WORDS.includes(name)) continue;
    const labels = [...behind.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => `${label}`);
    named.push({ name, labels });
  }
  return named;
}

/** The labels by which a query groups. */
export function groupsOf(query: string): string[] {
  return [...query.matchAll(/\bby\s*\(([^)]*)\)/g)]
    .flatMap(([, list = ""]) => list.split(",").map((label) => label.trim()));
}
