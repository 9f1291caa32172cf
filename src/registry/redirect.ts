/**
 * Follows redirects, which registries use to hand blobs over to an object storage.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-blobs
 * @module
 */

import { ServiceError } from "../errors.ts";
import { reachOf } from "./addresses.ts";
import type { Fetch } from "./fetch.ts";

/** One hop leads to a storage, a second one is seen with proxies; more is a loop. */
const REDIRECT_LIMIT = 5;

/**
 * Adds the following of redirects. Credentials never leave the origin that they were meant for:
 * storages refuse requests that carry them, and a hostile registry could collect them.
 *
 * @param fetch The layer below, which must not follow redirects.
 * @returns A fetch that throws `source-invalid` for a redirect that is not followed.
 */
export function withRedirects(fetch: Fetch): Fetch {
  return async (url, init) => {
    let current = new URL(url);
    let headers = init.headers;
    for (let hops = 0; hops <= REDIRECT_LIMIT; hops++) {
      const response = await fetch(current.href, { ...init, headers });
      if (!isRedirect(response)) {
        if (current.origin !== new URL(url).origin) await refuseForeignChallenge(response, current);
        return response;
      }
      await response.body?.cancel();
      const next = target(response, current);
      refuseInward(next, new URL(url));
      if (next.origin !== current.origin) headers = withoutAuthorization(headers);
      current = next;
    }
    throw new ServiceError(
      "source-invalid",
      `Registry redirects more than ${REDIRECT_LIMIT} times`,
    );
  };
}

function isRedirect({ status, headers }: Response): boolean {
  return [301, 302, 303, 307, 308].includes(status) && headers.has("location");
}

function target(response: Response, current: URL): URL {
  const location = response.headers.get("location") ?? "";
  const next = URL.canParse(location, current.href) ? new URL(location, current.href) : undefined;
  if (next === undefined || !["http:", "https:"].includes(next.protocol)) {
    throw new ServiceError(
      "source-invalid",
      "Registry redirects to something that is no web address",
    );
  }
  if (current.protocol === "https:" && next.protocol === "http:") {
    throw new ServiceError(
      "source-invalid",
      `Registry redirects from https to http://${next.host}`,
    );
  }
  return next;
}

/**
 * Storages on private addresses are common, but nobody keeps blobs where only this machine is told
 * something, or on its loopback interface, unless the registry is there, too. Whoever can answer in
 * the registry's place could else have us ask there.
 */
function refuseInward(next: URL, registry: URL): void {
  const reach = reachOf(next.hostname);
  const isNarrow = reach === "machine" || reach === "link";
  if (!isNarrow || reach === reachOf(registry.hostname)) return;
  throw new ServiceError(
    "source-invalid",
    `Registry redirects to ${next.origin}, which only this machine can reach`,
  );
}

/** Its challenge is none of the registry's: who answered it would hand the credentials over. */
async function refuseForeignChallenge(response: Response, at: URL): Promise<void> {
  if (response.status !== 401 && response.status !== 403) return;
  await response.body?.cancel();
  throw new ServiceError(
    "source-unavailable",
    `Registry redirects to ${at.origin}, which answered ${response.status}`,
  );
}

function withoutAuthorization(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.toLowerCase() !== "authorization"),
  );
}
