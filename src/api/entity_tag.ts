/**
 * Entity tags: names of a representation's very bytes.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3
 * @module
 */

/** An entity tag, as somebody wrote it. */
export interface EntityTag {
  /** Whether it only names something equivalent. */
  readonly isWeak: boolean;
  /** With its quotes. */
  readonly opaque: string;
}

/** One tag; commas and anything but quotes and spaces may stand within. */
const TAG = /(W\/)?("[\x21\x23-\x7e\x80-\uffff]*")/;

/** RFC 9110, 5.6.1.2: empty members of a list are passed over. */
const LIST = new RegExp(`^[\\s,]*(?:${TAG.source}[ \\t]*(?:,[\\s,]*|$))+$`);

/**
 * Makes a strong tag.
 *
 * @param text What tells the bytes from all others: letters, digits and marks, no quote, no space.
 * @returns The tag.
 */
export function strongTag(text: string): string {
  return `"${text}"`;
}

/**
 * Reads a list of tags.
 *
 * @param field A field's value.
 * @returns The tags; none where the value is no list of tags.
 */
export function parseEntityTags(field: string): readonly EntityTag[] {
  if (!LIST.test(field)) return [];
  return [...field.matchAll(new RegExp(TAG, "g"))]
    .map(([, weak, opaque = ""]) => ({ isWeak: weak !== undefined, opaque }));
}
