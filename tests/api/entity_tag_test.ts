import assert from "node:assert/strict";
import fc from "fast-check";
import { parseEntityTags } from "../../src/api/entity_tag.ts";

/** Writes tags as `W/"x"`, for short tables. */
function written(field: string): readonly string[] {
  return parseEntityTags(field).map(({ isWeak, opaque }) => (isWeak ? "W/" : "") + opaque);
}

for (
  const [field, tags] of [
    [`"a"`, [`"a"`]],
    [`W/"a"`, [`W/"a"`]],
    [`""`, [`""`]],
    [`"a", W/"b" ,"c"`, [`"a"`, `W/"b"`, `"c"`]],
    [`"a,b", "W/"`, [`"a,b"`, `"W/"`]],
    [` , "a",, ,`, [`"a"`]],
    [`"é"`, [`"é"`]],
    [`a`, []],
    [`"a" "b"`, []],
    [`"a`, []],
    [`"a b"`, []],
    [`w/"a"`, []],
    [`W/ "a"`, []],
    [`"a", b`, []],
    [`*`, []],
    [``, []],
  ] as const
) {
  Deno.test(`parseEntityTags() reads ${field}`, () => {
    assert.deepEqual(written(field), tags);
  });
}

Deno.test("parseEntityTags() is fast, whatever comes", () => {
  for (const piece of [`"`, `W/`, `,`, ` ,`, `"a"`, `"a", `, `"a" `]) {
    const start = performance.now();
    parseEntityTags(piece.repeat(30_000));
    assert.ok(performance.now() - start < 1000, piece);
  }
  fc.assert(fc.property(fc.string(), (field) => {
    parseEntityTags(field);
  }));
});
