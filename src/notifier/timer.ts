/**
 * Waiting that can be cut short.
 *
 * @module
 */

/**
 * Waits.
 *
 * @param ms How long, in milliseconds.
 * @param signal Ends it early, which is no failure.
 */
export async function timer(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const id = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(id);
      resolve();
    }, { once: true });
  });
}
