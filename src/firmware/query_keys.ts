/**
 * Which questions are the same: what is known of an answer is kept under the key of its question.
 *
 * @module
 */

import { repositoryOf } from "../repository.ts";
import {
  asQuery,
  deviceOfKey,
  formatSelection,
  keyOf,
  queryOfKey,
  type Question,
  type Selection,
  withDefaults,
} from "../selection.ts";

/** Knows what the operator wants where a device does not say. */
export class QueryKeys {
  readonly #defaults: Selection;

  /**
   * Gives keys under which these defaults are a part of what is asked.
   *
   * @param defaults What is looked for where a request does not say.
   */
  constructor(defaults: Selection) {
    this.#defaults = defaults;
  }

  /**
   * The key of what is asked, defaults included.
   *
   * @param question Who asks, and for what.
   * @returns The same for all that are to be answered alike.
   * @throws {ServiceError} `device-invalid` where the device id cannot be told from a key.
   */
  of(question: Question): string {
    const { device, selection } = asQuery(question);
    // What is no device id must not become one by what is behind a question mark.
    if (device.includes("?")) repositoryOf(device, "");
    return keyOf({ device, selection: withDefaults(selection, this.#defaults) });
  }

  /**
   * Tells whether a device gets this by its id alone.
   *
   * @param key Of a query.
   * @returns Whether nothing is selected beyond the defaults.
   */
  isDefault(key: string): boolean {
    return key === this.of(deviceOfKey(key));
  }
}

/**
 * What of a query stands in the log.
 *
 * @param key Of the query.
 * @returns The device; and its selection, where there is one.
 */
export function askedBy(key: string): { readonly device: string; readonly selection?: string } {
  const { device, selection } = queryOfKey(key);
  const text = formatSelection(selection);
  return text === "" ? { device } : { device, selection: text };
}
