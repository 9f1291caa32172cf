/**
 * What is found while one firmware is verified, and how that is put into words.
 *
 * @module
 */

import { ServiceError } from "../errors.ts";
import type { Unacceptable } from "./unacceptable.ts";

/** So many different reasons are named in an error. */
const REASONS_LIMIT = 5;

/** Collects who has signed, and why signatures do not count. */
export class Findings {
  /** Whose signatures count, each once. */
  readonly signers = new Set<string>();
  readonly #reasons = new Map<string, number>();
  #outage: ServiceError | undefined;

  /** Why the source could not be asked, where that was so: what is missing may be there. */
  get outage(): ServiceError | undefined {
    return this.#outage;
  }

  /**
   * Notes that something does not count.
   *
   * @param reason Why not.
   */
  add(reason: Unacceptable | ServiceError): void {
    if (reason instanceof ServiceError && reason.code.startsWith("source-")) {
      this.#outage ??= reason;
    }
    this.#reasons.set(reason.message, (this.#reasons.get(reason.message) ?? 0) + 1);
  }

  /**
   * Puts all of it into words.
   *
   * @returns What follows "found".
   */
  toString(): string {
    const reasons = [...this.#reasons].map(([reason, count]) =>
      count === 1 ? reason : `${count} times ${reason}`
    );
    const more = reasons.length - REASONS_LIMIT;
    return [
      ...(this.signers.size > 0 ? [`signatures of ${this.signers.size}`] : []),
      ...reasons.slice(0, REASONS_LIMIT),
      ...(more > 0 ? [`${more} other things`] : []),
    ].join(", ") || "no signature";
  }
}
