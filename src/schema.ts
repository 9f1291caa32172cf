/**
 * How documents of strangers are checked against a form.
 *
 * @module
 */

/**
 * For `v.safeParse`: the first thing that is wrong ends it. By itself it collects all: a list of two
 * million zeros, 4 MiB, is two million complaints, which take seconds and more than a gigabyte.
 */
export const FIRST_ISSUE = { abortEarly: true } as const;
