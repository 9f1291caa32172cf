/**
 * Lists that a registry gives page by page.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags
 * @module
 */

import { ServiceError } from "../errors.ts";
import { nextLink } from "./link.ts";

/** How pages are read. */
export interface PageOptions {
  /** What the list is read for, as in `list tags of "a/b"`; for the error. */
  readonly action: string;
  /** Asks for a page. */
  readonly fetchPage: (url: URL) => Promise<Response>;
  /** More pages are refused. @default any number is read */
  readonly limit?: number;
  /**
   * Where the list goes on after the page that was read last, where its answer has no link: the
   * specification only allows the header. @default it ends there
   */
  readonly nextWithoutLink?: () => URL | undefined;
}

/**
 * Follows a list from page to page. A link back to a page that was read already is the end of a list
 * that goes in circles.
 *
 * @param first Where the list begins.
 * @param options How pages are read.
 * @returns The answers, whatever they say: whoever reads them ends where it is enough.
 * @throws {ServiceError} `source-invalid` where there are too many pages, or the next one is not on
 * the registry; or what `fetchPage` throws.
 */
export async function* pagesOf(
  first: URL,
  { action, fetchPage, limit = Infinity, nextWithoutLink = () => undefined }: PageOptions,
): AsyncGenerator<Response> {
  const seen = new Set<string>();
  for (let url: URL | undefined = first; url !== undefined && !seen.has(url.href);) {
    seen.add(url.href);
    if (seen.size > limit) {
      throw new ServiceError("source-invalid", `Cannot ${action}: more than ${limit} pages`);
    }
    const response = await fetchPage(url);
    yield response;
    url = nextPage(response, url, action) ?? nextWithoutLink();
  }
}

/** A page elsewhere would take our credentials there. */
function nextPage({ headers }: Response, page: URL, action: string): URL | undefined {
  const link = nextLink(headers.get("link"));
  if (link === undefined) return undefined;
  const next = URL.canParse(link, page.href) ? new URL(link, page.href) : undefined;
  if (next?.origin === page.origin) return next;
  const place = next?.origin ?? "no address";
  throw new ServiceError(
    "source-invalid",
    `Cannot ${action}: the next page is not on the registry but at ${place}`,
  );
}
