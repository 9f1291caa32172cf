import assert from "node:assert/strict";
import fc from "fast-check";
import { nextLink } from "../../src/registry/link.ts";

Deno.test("nextLink() finds the next page", async (t) => {
  const cases: readonly (readonly [header: string | null, target: string | undefined])[] = [
    ['</v2/a/tags/list?last=1&n=2>; rel="next"', "/v2/a/tags/list?last=1&n=2"],
    ['<https://r/v2/a/tags/list?last=1>; rel="next"', "https://r/v2/a/tags/list?last=1"],
    ["</x>;rel=next", "/x"],
    ['</x> ; REL = "NEXT"', "/x"],
    ['</x>; rel="last next"', "/x"],
    ['</x>; title="a, b"; rel="next"', "/x"],
    ['</a>; rel="prev", </x>; rel="next", </y>; rel="next"', "/x"],
    ['</a,b>; rel="next"', "/a,b"],
    ['</x>; flag; rel="next"', "/x"],
    ['</x>; rel="prev"; rel="next"', undefined],
    ['</x>; title="; rel=next"', undefined],
    [String.raw`</x>; title="\"; rel=next; \""`, undefined],
    ['</x>; rel="nextish"', undefined],
    ['</x>; xrel="next"', undefined],
    ["</x>", undefined],
    ['/x; rel="next"', undefined],
    ['</x; rel="next"', undefined],
    ["", undefined],
    [null, undefined],
  ];
  for (const [header, target] of cases) {
    await t.step(header ?? "no header", () => assert.equal(nextLink(header), target));
  }
});

const targets = fc.webUrl({ withQueryParameters: true });
const relations = fc.constantFrom("prev", "first", "last", "next");
const titles = fc.string({ unit: fc.constantFrom(..."ab ,;=<>\"\\'é"), maxLength: 20 });

const links = fc.record({
  target: targets,
  relation: relations,
  title: titles,
  titleComesFirst: fc.boolean(),
});

Deno.test("nextLink() gives back what was written", () => {
  fc.assert(fc.property(fc.array(links, { maxLength: 4 }), (generated) => {
    const header = generated.map(({ target, relation, title, titleComesFirst }) => {
      const parameters = [
        `title="${title.replaceAll(/["\\]/g, "\\$&")}"`,
        `rel="${relation}"`,
      ];
      if (!titleComesFirst) parameters.reverse();
      return `<${target}>; ${parameters.join("; ")}`;
    }).join(", ");
    const expected = generated.find(({ relation }) => relation === "next")?.target;
    assert.equal(nextLink(header), expected, header);
  }));
});

Deno.test("nextLink() takes any text without complaint", () => {
  const fragments = fc.array(
    fc.constantFrom("<", ">", ";", ",", '"', "\\", "rel", "=", "next", " ", "/x", "\n"),
    { maxLength: 60 },
  ).map((parts) => parts.join(""));
  fc.assert(fc.property(fc.oneof(fc.string({ unit: "binary" }), fragments), (header) => {
    const target = nextLink(header);
    assert.ok(target === undefined || header.includes(`<${target}>`));
  }));
});

Deno.test("nextLink() reads long headers in a time that grows with their length only", () => {
  const many = 120_000;
  const headers = [
    "<".repeat(4 * many),
    `<>"${'\\"<>'.repeat(many)}`,
    '<>"'.repeat(many),
    `<>${";rel=".repeat(many)}`,
    `<>${";".repeat(4 * many)}`,
    `<>;${" ".repeat(4 * many)}"`,
  ];
  const start = performance.now();
  for (const header of headers) nextLink(header);
  // A generous bound: what grows with the square takes minutes.
  assert.ok(performance.now() - start < 10_000);
});
