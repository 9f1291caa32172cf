/**
 * Between which pauses the source, and single devices, are left alone while they fail.
 *
 * @module
 */

import type { PauseBounds } from "../backoff.ts";

/** What was mended is noticed within five minutes. */
export const PAUSES: PauseBounds = { firstMs: 1000, longestMs: 5 * 60 * 1000 };
