/**
 * What the documents show: their fenced blocks of code, and the commands in them.
 *
 * @module
 */

import { join } from "node:path";

const REPOSITORY = join(import.meta.dirname ?? ".", "..", "..");

/** A fenced block of code. */
export interface Block {
  /** The document, such as `docs/mqtt.md`. */
  readonly document: string;
  /** The line of its first fence, counted from 1. */
  readonly line: number;
  /** What stands behind the first fence; often empty. */
  readonly kind: string;
  /** What is between the fences, without the indent of the first; ends with a line break. */
  readonly text: string;
}

/** A command, and what it prints. */
export interface Shown {
  /** It on one line. */
  readonly command: string;
  /** What the document shows of its output; undefined where it shows none. */
  readonly output: string | undefined;
}

/** README and all that is in docs/, by their paths. */
export async function documents(): Promise<ReadonlyMap<string, string>> {
  const paths = ["README.md"];
  for await (const { name } of Deno.readDir(join(REPOSITORY, "docs"))) paths.push(`docs/${name}`);
  const texts = paths.toSorted().map(async (path) =>
    [path, await Deno.readTextFile(join(REPOSITORY, path))] as const
  );
  return new Map(await Promise.all(texts));
}

/** All fenced blocks of a document, in their order. */
export function blocksOf(document: string, markdown: string): Block[] {
  const blocks: Block[] = [];
  // The last fence is as far to the right as the first one.
  for (const match of markdown.matchAll(/^( *)```(.*)\n([^]*?)^\1```$/gm)) {
    const [, indent = "", kind = "", text = ""] = match;
    blocks.push({
      document,
      line: markdown.slice(0, match.index).split("\n").length,
      kind,
      text: text.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
    });
  }
  return blocks;
}

/** All code within the text of a document, each on one line; what is in blocks is not among it. */
export function spansOf(markdown: string): string[] {
  const text = markdown.replaceAll(/^ *```[^]*?^ *```$/gm, "");
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code.replaceAll(/\s+/g, " "));
}

/** The commands of a block of the kind `sh`, or with their outputs of the kind `console`. */
export function commandsOf({ kind, text }: Pick<Block, "kind" | "text">): Shown[] {
  const lines = text.replaceAll(/ *\\\n */g, " ").trimEnd().split("\n");
  if (kind === "sh") {
    return lines.filter((line) => !/^\s*(#|$)/.test(line))
      .map((command) => ({ command, output: undefined }));
  }
  const shown: Shown[] = [];
  for (const line of lines) {
    const last = shown.at(-1);
    if (line.startsWith("$ ")) shown.push({ command: line.slice(2), output: undefined });
    else if (last === undefined) throw new Error(`Begins with no command: ${line}`);
    else shown.splice(-1, 1, { ...last, output: `${last.output ?? ""}${line}\n` });
  }
  return shown;
}

/**
 * Tells whether an output is the one that a document shows, where `…` stands for anything.
 *
 * @param shown What the document shows; where it is undefined, anything will do.
 */
export function isAsShown(shown: string | undefined, output: string): boolean {
  if (shown === undefined) return true;
  const literal = shown.trimEnd().split("…").map((part) => RegExp.escape(part)).join("[^]*");
  return new RegExp(`^${literal}\\s*$`).test(output);
}
