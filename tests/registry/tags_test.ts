import assert from "node:assert/strict";
import { tagsOf } from "../../src/registry/tags.ts";

const LIST = "https://registry.example/v2/a/tags/list";

/** In the order of registries. */
function tagsUpTo(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `0.${index}.0`).toSorted();
}

/** As go-containerregistry's registry lists (`crane registry serve`): by `n` and `last`, no link. */
function withoutLinks(tags: readonly string[]): (url: URL) => Response {
  return ({ searchParams }) => {
    const last = searchParams.get("last");
    const from = last === null ? 0 : tags.indexOf(last) + 1;
    const count = Number(searchParams.get("n") ?? tags.length);
    return Response.json({ name: "a", tags: tags.slice(from, from + count) });
  };
}

/** Reads a list to its end, and counts the requests. */
async function read(
  answer: (url: URL) => Response,
): Promise<{ readonly tags: readonly string[]; readonly asked: readonly string[] }> {
  const asked: string[] = [];
  const tags = await tagsOf(new URL(LIST), {
    action: "list tags",
    fetchPage: (url) => {
      asked.push(url.search);
      return Promise.resolve(answer(url));
    },
  });
  return { tags, asked };
}

Deno.test("tagsOf() goes on behind a full page that has no link", async () => {
  const tags = tagsUpTo(2500);
  assert.deepEqual(await read(withoutLinks(tags)), {
    tags,
    asked: ["?n=1000", `?n=1000&last=${tags[999]}`, `?n=1000&last=${tags[1999]}`],
  });
});

for (const count of [0, 1, 999]) {
  Deno.test(`tagsOf() asks once for ${count} tags`, async () => {
    const tags = tagsUpTo(count);
    assert.deepEqual(await read(withoutLinks(tags)), { tags, asked: ["?n=1000"] });
  });
}

Deno.test("tagsOf() takes more than it asked for to be all", async () => {
  const tags = tagsUpTo(2500);
  assert.deepEqual(await read(() => Response.json({ tags })), { tags, asked: ["?n=1000"] });
});

const FULL = tagsUpTo(1000);

for (
  const [what, answer] of [
    ["is empty", () => Response.json({ tags: [] })],
    ["says null", () => Response.json({ tags: null })],
    ["is the same again", () => Response.json({ tags: FULL })],
    ["is refused", () => new Response(null, { status: 400 })],
    ["is unknown", () => new Response(null, { status: 404 })],
    ["is not allowed", () => new Response(null, { status: 405 })],
  ] as const
) {
  Deno.test(`tagsOf() ends where the page behind a full one ${what}`, async () => {
    const { tags } = await read(({ searchParams }) =>
      searchParams.has("last") ? answer() : Response.json({ tags: FULL })
    );
    assert.deepEqual(tags, FULL);
  });
}

Deno.test("tagsOf() takes no end for granted where a page cannot be had now", async () => {
  const answer = ({ searchParams }: URL): Response =>
    searchParams.has("last") ? new Response(null, { status: 503 }) : Response.json({ tags: FULL });
  await assert.rejects(read(answer), { code: "source-unavailable" });
});

Deno.test("tagsOf() takes no end for granted where a page that was linked is missing", async () => {
  const link = `<${LIST}?n=1000&last=x>; rel="next"`;
  const answer = ({ searchParams }: URL): Response =>
    searchParams.has("last")
      ? Response.json({ errors: [{ code: "NAME_UNKNOWN" }] }, { status: 404 })
      : Response.json({ tags: FULL }, { headers: { link } });
  await assert.rejects(read(answer), { code: "firmware-unknown" });
});
