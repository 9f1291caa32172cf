/**
 * Lines out of pieces of text.
 *
 * @module
 */

/** Parts a stream of text at its line breaks. A last line without one is a line, too. */
export class TextLineStream extends TransformStream<string, string> {
  /** Starts with no text. */
  constructor() {
    let rest = "";
    super({
      transform(chunk, controller): void {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) controller.enqueue(line);
      },
      flush(controller): void {
        if (rest !== "") controller.enqueue(rest);
      },
    });
  }
}
