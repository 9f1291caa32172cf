/**
 * Reads `Link`, where a registry says where the next page of tags is.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8288#section-3
 * @module
 */

/**
 * `<target>` and its parameters up to the comma that ends the link. Matches in linear time: a header
 * may have hundreds of kilobytes, and a quote that is never closed ends with it.
 */
const LINK = /<([^<>]*)>((?:[^",]|"(?:[^"\\]|\\.?)*(?:"|$))*)/g;
/** `;name=value`, `;name="value"` or `;name`: read one by one, as a quoted value may look like more. */
const PARAMETER = /;[ \t]*([^\s;=,"]+)[ \t]*(?:=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?/g;

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
    const relation = [...parameters.matchAll(PARAMETER)]
      .find(([, name]) => name?.toLowerCase() === "rel");
    const [, , quoted, plain] = relation ?? [];
    const relations = (quoted ?? plain ?? "").toLowerCase().split(/[ \t]+/);
    if (relations.includes("next")) return target;
  }
  return undefined;
}
