/**
 * Reads `Link`, where a registry says where the next page of tags is.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8288#section-3
 * @module
 */

/** `<target>` and its parameters up to the comma that ends the link. */
const LINK = /<([^>]*)>((?:[^",]|"(?:[^"\\]|\\.)*")*)/g;
const RELATION = /;[ \t]*rel[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]+))/i;

/**
 * The target of the link to the next page.
 *
 * @param header The header's value, or null where there is none.
 * @returns A relative or absolute reference; undefined where no link has the relation `next`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(nextLink('</v2/a/tags/list?last=1.0.0&n=2>; rel="next"'), "/v2/a/tags/list?last=1.0.0&n=2");
 * assert.equal(nextLink('</other>; rel="prev"'), undefined);
 * ```
 */
export function nextLink(header: string | null): string | undefined {
  for (const [, target, parameters = ""] of (header ?? "").matchAll(LINK)) {
    // A later "rel" of the same link is to be ignored (RFC 8288, 3.3).
    const [, quoted, plain] = RELATION.exec(parameters) ?? [];
    const relations = (quoted ?? plain ?? "").toLowerCase().split(/[ \t]+/);
    if (relations.includes("next")) return target;
  }
  return undefined;
}
