/**
 * Why the program cannot do what it was started for.
 *
 * @module
 */

/** A part that is wanted cannot be had: one sentence, for whoever started the program. */
export class CannotStart extends Error {
  /** Always `CannotStart`. */
  override readonly name = "CannotStart";
  /** Whether what was given has to be changed, and not what is around. */
  readonly isUsage: boolean;

  /**
   * Says what cannot be had.
   *
   * @param message The sentence.
   * @param options Whose matter it is.
   */
  constructor(message: string, { isUsage = false }: { readonly isUsage?: boolean } = {}) {
    super(message);
    this.isUsage = isUsage;
  }
}
