/**
 * How long the head of an answer may be: devices read it into a small buffer.
 *
 * @module
 */

/** No head is as long, in bytes: ESPHome's buffer takes 512, and devices read the head at once. */
const HEAD_LIMIT = 480;

/**
 * What else stands in a head, in bytes: the status line of a 206 (30), the date (37), the word on
 * the connection that HTTP/1.0 wants (24), `vary: Origin` (14), and the empty line (2).
 */
const HEAD_REST = 107;

/** Headers by their names in lower case. */
export type HeaderFields = Readonly<Record<string, string>>;

/**
 * The head of an answer. Where not all fits a device's buffer, the last ones are left out.
 *
 * @param required What the answer cannot do without.
 * @param optional More, the most important first; undefined is left out.
 * @returns Headers, together within the limit, unless what is required is longer.
 */
export function fitHead(
  required: HeaderFields,
  optional: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const fields: Record<string, string> = {};
  let length = HEAD_REST;
  // Each request comes here, some twice: entries as arrays would cost more than all the rest.
  for (const name in required) {
    const value = required[name] ?? "";
    fields[name] = value;
    length += lineLength(name, value);
  }
  for (const name in optional) {
    const value = optional[name];
    if (value === undefined || length + lineLength(name, value) >= HEAD_LIMIT) continue;
    length += lineLength(name, value);
    fields[name] = value;
  }
  return fields;
}

/** With its colon, space and line break. */
function lineLength(name: string, value: string): number {
  return name.length + value.length + 4;
}
