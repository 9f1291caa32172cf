/**
 * Reads a body of several parts as a client does.
 *
 * @see https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1
 * @module
 */

/** A part of a firmware. */
export interface BodyPart {
  /** Its `Content-Range`. */
  readonly range: string;
  /** Its `Content-Type`. */
  readonly type: string;
  /** Its bytes. */
  readonly bytes: Uint8Array;
}

/** Takes a body apart. @throws {Error} It is not as RFC 2046 says. */
export function readMultipart(contentType: string, body: Uint8Array): readonly BodyPart[] {
  const [, boundary] = /^multipart\/byteranges; boundary=([0-9A-Za-z]{1,70})$/.exec(contentType) ??
    [];
  if (boundary === undefined) throw new Error(`No multipart type: ${contentType}`);
  // One character a byte, so that places in the text are places in the body.
  const text = new TextDecoder("latin1").decode(body);
  const pieces = `\r\n${text}`.split(`\r\n--${boundary}`);
  const [preamble, ...rest] = pieces;
  const epilogue = rest.pop();
  if (preamble !== "" || epilogue !== "--\r\n") {
    throw new Error("Does not begin or end as it should");
  }
  return rest.map((piece) => {
    const end = piece.indexOf("\r\n\r\n");
    if (!piece.startsWith("\r\n") || end === -1) throw new Error("A part has no head");
    const head = new Headers(
      piece.slice(2, end).split("\r\n").map((line) => line.split(": ") as [string, string]),
    );
    const bytes = Uint8Array.from(piece.slice(end + 4), (char) => latin1Byte(char));
    return { range: head.get("content-range") ?? "", type: head.get("content-type") ?? "", bytes };
  });
}

/** What browsers call latin1 is windows-1252: 27 of its characters are elsewhere in Unicode. */
const BYTES = new Map(
  Array.from({ length: 256 }, (_, byte) => [
    new TextDecoder("latin1").decode(Uint8Array.of(byte)),
    byte,
  ]),
);

function latin1Byte(char: string): number {
  return BYTES.get(char) ?? 0;
}
