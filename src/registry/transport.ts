/**
 * The stack of layers that a request to a registry passes.
 *
 * @module
 */

import { type AuthOptions, withAuth } from "./auth.ts";
import { withWholeDocuments } from "./document.ts";
import { createFetch, type CreateFetchOptions, type Fetch } from "./fetch.ts";
import { type MeasurementOptions, withMeasurement } from "./measure.ts";
import { withRedirects } from "./redirect.ts";
import { type RetryOptions, withRetry } from "./retry.ts";
import { type TimeoutOptions, withTimeout } from "./timeout.ts";

/** Options of {@linkcode createTransport}: those of its layers. */
export type TransportOptions =
  & CreateFetchOptions
  & AuthOptions
  & TimeoutOptions
  & MeasurementOptions
  & RetryOptions;

/**
 * Builds the stack. From below: the platform's fetch; a time limit on each hop, which is measured;
 * redirects, so that each hop has its own limit; documents read whole; retries of the whole way;
 * authentication, whose token requests are thereby limited and retried, too.
 *
 * @param options What the layers need.
 * @returns The topmost layer.
 * @throws {ServiceError} `source-refused` for a user name that cannot be sent.
 */
export function createTransport(options: TransportOptions): Fetch {
  const hop = withMeasurement(withTimeout(createFetch(options), options), options);
  const once = withRedirects(hop);
  return withAuth(withRetry(withWholeDocuments(once, options), options), options);
}
