/**
 * The list of a repository's tags, over all of its pages.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags
 * @module
 */

import * as v from "valibot";
import { ServiceError } from "../errors.ts";
import { pagesOf } from "./pages.ts";
import { ensureOk, readJson } from "./response.ts";

/** Some registries give all tags in one page: 16 MiB are 100,000 tags of the longest form. */
export const TAGS_BODY_LIMIT_BYTES = 16 * 1024 * 1024;

/** As many tags as all known registries give at once; some refuse to be asked for more. */
const TAGS_PER_PAGE = 1000;

/** A registry that gives pages without end is not followed: 1,000 pages are a million tags. */
const TAG_PAGES_LIMIT = 1000;

/** More tags are not taken in: they would fill the memory, 100 bytes each. */
const TAGS_LIMIT = 250_000;

/** A tag of the distribution-spec's grammar; what else a list holds is none, whatever its length. */
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/** Answers to a page that no registry has named: what there is came before. */
const HAS_NO_SUCH_PAGE = [400, 404, 405];

const tagsSchema = v.object({ tags: v.optional(v.nullable(v.array(v.string()))) });

/** How tags are read. */
export interface TagListOptions {
  /** What they are read for, as in `list tags of "a/b"`; for the error. */
  readonly action: string;
  /** Asks for a page. */
  readonly fetchPage: (url: URL) => Promise<Response>;
}

/**
 * All tags of a list. A page that is full and has no link may have others behind it: the
 * specification only allows the header, and its version 1.0 did not know it.
 *
 * @param list Where it is.
 * @param options How it is read.
 * @returns Tags in the registry's order.
 * @throws {ServiceError} `source-invalid` where there are too many, or the answer is no such list; or
 * what `fetchPage` throws, or what its answers mean.
 */
export async function tagsOf(
  list: URL,
  { action, fetchPage }: TagListOptions,
): Promise<readonly string[]> {
  const tags: string[] = [];
  const unlinked = new UnlinkedPages(withParameter(list, "n", String(TAGS_PER_PAGE)));
  const pages = pagesOf(unlinked.first, {
    action,
    fetchPage: (url) => fetchTagPage(url, fetchPage),
    limit: TAG_PAGES_LIMIT,
    nextWithoutLink: () => unlinked.next(),
  });
  for await (const response of pages) {
    if (unlinked.isGuess && HAS_NO_SUCH_PAGE.includes(response.status)) {
      await response.body?.cancel();
      break;
    }
    await ensureOk(response, action);
    const page = await readJson(response, {
      action,
      limit: TAGS_BODY_LIMIT_BYTES,
      schema: tagsSchema,
    });
    if (unlinked.repeats(page.tags ?? [])) break;
    for (const tag of page.tags ?? []) {
      if (TAG.test(tag)) tags.push(tag);
    }
    if (tags.length > TAGS_LIMIT) {
      throw new ServiceError("source-invalid", `Cannot ${action}: more than ${TAGS_LIMIT} tags`);
    }
  }
  return tags;
}

/** Names pages that the registry does not name, by the last tag of the one before. */
class UnlinkedPages {
  readonly first: URL;
  /** Whether the page that is read now may not be there. */
  isGuess = false;
  #last: string | undefined;

  constructor(first: URL) {
    this.first = first;
  }

  /** Takes a page down; tells whether it is the one before, of who does not heed `last`. */
  repeats(page: readonly string[]): boolean {
    const last = page.at(-1);
    if (this.isGuess && last === this.#last) return true;
    this.isGuess = false;
    this.#last = page.length === TAGS_PER_PAGE ? last : undefined;
    return false;
  }

  next(): URL | undefined {
    if (this.#last === undefined) return undefined;
    this.isGuess = true;
    return withParameter(this.first, "last", this.#last);
  }
}

/** Some registries refuse a page that is larger than they like instead of giving a smaller one. */
async function fetchTagPage(
  url: URL,
  fetchPage: TagListOptions["fetchPage"],
): Promise<Response> {
  const response = await fetchPage(url);
  if (response.status !== 400 || !url.searchParams.has("n")) return response;
  await response.body?.cancel();
  const smaller = new URL(url);
  smaller.searchParams.delete("n");
  return await fetchPage(smaller);
}

function withParameter(url: URL, name: string, value: string): URL {
  const changed = new URL(url);
  changed.searchParams.set(name, value);
  return changed;
}
