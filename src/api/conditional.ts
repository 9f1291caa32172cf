/**
 * Whether a request's conditions hold.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-13
 * @module
 */

import { parseEntityTags } from "./entity_tag.ts";
import { parseHttpDate } from "./http_date.ts";

/** What tells one state of a resource from another. */
export interface Validators {
  /** A strong entity tag, with its quotes. */
  readonly etag: string;
  /** When it was last modified, in whole seconds; undefined where that is not known. */
  readonly lastModified: Date | undefined;
}

/** By more than this no time zone is off, in milliseconds: one of the two clocks is wrong. */
const AHEAD_MS = 24 * 60 * 60 * 1000;

/** What becomes of a request by its conditions. */
export type Outcome = "proceed" | "not-modified" | "precondition-failed";

/**
 * Evaluates the conditions of a GET or HEAD on something that exists, in the order of RFC 9110,
 * 13.2.2. `If-Range` is for {@linkcode isRangeWanted}.
 *
 * A date is compared by our clock (13.1.3). One that lies far ahead was told, or noted, by a clock
 * that was wrong, and would hide whatever comes until then: it counts only where it is the very date.
 *
 * @param headers The request's.
 * @param current The state of what would be answered to this client.
 * @param nowMs The time in milliseconds since 1970.
 * @returns `not-modified` for 304, `precondition-failed` for 412.
 */
export function evaluateConditions(
  headers: Headers,
  current: Validators,
  nowMs: number = Date.now(),
): Outcome {
  const modifiedMs = current.lastModified?.getTime();
  const ifMatch = headers.get("if-match");
  if (ifMatch !== null) {
    if (!matchesStrongly(ifMatch, current.etag)) return "precondition-failed";
  } else {
    const since = dateOf(headers, "if-unmodified-since");
    if (since !== undefined && modifiedMs !== undefined && modifiedMs > since) {
      return "precondition-failed";
    }
  }
  const ifNoneMatch = headers.get("if-none-match");
  if (ifNoneMatch !== null) {
    return matchesWeakly(ifNoneMatch, current.etag) ? "not-modified" : "proceed";
  }
  const since = dateOf(headers, "if-modified-since");
  if (since === undefined || modifiedMs === undefined) return "proceed";
  const isKnown = modifiedMs === since || (modifiedMs < since && since <= nowMs + AHEAD_MS);
  return isKnown ? "not-modified" : "proceed";
}

/**
 * Tells whether a `Range` is to be looked at: not where `If-Range` names another state.
 *
 * A date never does: it would have to be a strong validator (RFC 9110, 13.1.5), and two builds may
 * claim the same date. So nobody gets parts of both.
 *
 * @param headers The request's.
 * @param current The state of what would be answered to this client.
 * @returns Whether it is.
 */
export function isRangeWanted(headers: Headers, { etag }: Pick<Validators, "etag">): boolean {
  const ifRange = headers.get("if-range");
  if (ifRange === null) return true;
  const [tag, ...others] = parseEntityTags(ifRange);
  return tag !== undefined && others.length === 0 && !tag.isWeak && tag.opaque === etag;
}

function matchesStrongly(field: string, etag: string): boolean {
  return field.trim() === "*" ||
    parseEntityTags(field).some(({ isWeak, opaque }) => !isWeak && opaque === etag);
}

function matchesWeakly(field: string, etag: string): boolean {
  return field.trim() === "*" || parseEntityTags(field).some(({ opaque }) => opaque === etag);
}

/** What is no date, or are several, is ignored. */
function dateOf(headers: Headers, name: string): number | undefined {
  const field = headers.get(name);
  return field === null ? undefined : parseHttpDate(field);
}
