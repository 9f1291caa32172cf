/**
 * Dates as HTTP writes them.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
 * @module
 */

const DAYS = "Mon|Tue|Wed|Thu|Fri|Sat|Sun";
const LONG_DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday";
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun"]
  .concat(["Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]);

const MONTH = `(?<month>${MONTHS.join("|")})`;
const TIME = "(?<time>\\d\\d:\\d\\d:\\d\\d)";

/** The preferred form, and the two obsolete ones that still must be read. Case matters. */
const FORMS = [
  `(?:${DAYS}), (?<day>\\d\\d) ${MONTH} (?<year>\\d{4}) ${TIME} GMT`,
  `(?:${LONG_DAYS}), (?<day>\\d\\d)-${MONTH}-(?<year>\\d\\d) ${TIME} GMT`,
  `(?:${DAYS}) ${MONTH} (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})`,
].map((form) => new RegExp(`^${form}$`));

/** A year of two digits that seems to lie further ahead than this is of the century before. */
const AHEAD_YEARS = 50;

/**
 * Writes a date.
 *
 * @param date Any.
 * @returns For example `Sun, 06 Nov 1994 08:49:37 GMT`.
 */
export function formatHttpDate(date: Date): string {
  return date.toUTCString();
}

/**
 * Reads a date in any of the three forms.
 *
 * @param text A whole field value.
 * @param today The time of day, by which years of two digits are understood.
 * @returns Milliseconds since 1970; undefined where it is no date.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const forms = [
 *   "Sun, 06 Nov 1994 08:49:37 GMT",
 *   "Sunday, 06-Nov-94 08:49:37 GMT",
 *   "Sun Nov  6 08:49:37 1994",
 * ];
 * for (const form of forms) assert.equal(parseHttpDate(form), Date.UTC(1994, 10, 6, 8, 49, 37));
 * ```
 */
export function parseHttpDate(text: string, today: Date = new Date()): number | undefined {
  const { day, month = "", year, time = "" } = FORMS
    .map((form) => form.exec(text)?.groups)
    .find((groups) => groups !== undefined) ?? {};
  if (day === undefined || year === undefined) return undefined;
  const [hours = 0, minutes = 0, seconds = 0] = time.split(":").map(Number);
  const date = new Date(0);
  date.setUTCFullYear(fullYear(year, today), MONTHS.indexOf(month), Number(day));
  // `Date` would make the first of March of a thirtieth of February; a leap second is the next one.
  const isOfMonth = date.getUTCDate() === Number(day);
  if (!isOfMonth || hours > 23 || minutes > 59 || seconds > 60) return undefined;
  return date.setUTCHours(hours, minutes, seconds);
}

function fullYear(year: string, today: Date): number {
  if (year.length === 4) return Number(year);
  const thisYear = today.getUTCFullYear();
  const inThisCentury = thisYear - thisYear % 100 + Number(year);
  return inThisCentury > thisYear + AHEAD_YEARS ? inThisCentury - 100 : inThisCentury;
}
