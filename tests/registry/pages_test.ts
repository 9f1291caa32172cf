import assert from "node:assert/strict";
import { pagesOf } from "../../src/registry/pages.ts";

/** Reads pages whose links are given, each at its place; gives what was asked for. */
async function read(
  links: readonly (string | undefined)[],
  { limit = Infinity, enough = Infinity } = {},
): Promise<readonly string[]> {
  const asked: string[] = [];
  const pages = pagesOf(new URL("https://registry.example/v2/a/tags/list?n=1"), {
    action: "list tags",
    limit,
    fetchPage: (url) => {
      const link = links[asked.push(`${url.pathname}${url.search}`) - 1];
      const headers = link === undefined ? {} : { link: `<${link}>; rel="next"` };
      return Promise.resolve(new Response(null, { headers }));
    },
  });
  let count = 0;
  for await (const _page of pages) {
    if (++count === enough) break;
  }
  assert.equal(count, asked.length);
  return asked;
}

Deno.test("pagesOf() follows links, relative ones to the page that says them", async () => {
  assert.deepEqual(await read(["?last=1", "/v2/b?last=2", "https://registry.example/v2/c"]), [
    "/v2/a/tags/list?n=1",
    "/v2/a/tags/list?last=1",
    "/v2/b?last=2",
    "/v2/c",
  ]);
});

Deno.test("pagesOf() ends where a page was read before", async () => {
  assert.equal((await read(["?last=1", "?last=2", "?last=1", "?last=3"])).length, 3);
});

Deno.test("pagesOf() asks for no page that nobody wants", async () => {
  assert.equal((await read(["?last=1", "?last=2"], { enough: 2 })).length, 2);
});

Deno.test("pagesOf() refuses more pages than its limit, and not as many", async () => {
  assert.equal((await read(["?last=1"], { limit: 2 })).length, 2);
  await assert.rejects(read(["?last=1", "?last=2"], { limit: 2 }), {
    code: "source-invalid",
    message: "Cannot list tags: more than 2 pages",
  });
});

for (
  const [link, place] of [
    ["https://elsewhere.example/v2/a", "https://elsewhere.example"],
    ["http://registry.example/v2/a", "http://registry.example"],
    ["https://registry.example:8443/v2/a", "https://registry.example:8443"],
    ["https://[nonsense/v2/a", "no address"],
  ] as const
) {
  Deno.test(`pagesOf() does not follow a link to ${link}`, async () => {
    await assert.rejects(read([link]), {
      code: "source-invalid",
      message: `Cannot list tags: the next page is not on the registry but at ${place}`,
    });
  });
}
