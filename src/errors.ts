/**
 * What can go wrong, as codes that cross the borders between rooms.
 *
 * @module
 */

/**
 * Why an answer cannot be given.
 *
 * - `device-invalid`: the device id is missing or cannot name a repository.
 * - `firmware-unknown`: the source says that it has no firmware for the device.
 * - `selection-invalid`: what is asked for beside the device cannot be read.
 * - `selection-unmatched`: the device has firmware, but none that was asked for.
 * - `firmware-gone`: the firmware that was announced to this client can no longer be had.
 * - `firmware-unavailable`: there may be firmware, and a later request may get it.
 * - `downloads-full`: as many downloads are under way as may be.
 * - `artifact-invalid`: what the source holds fails verification or holds no usable firmware.
 * - `signature-invalid`: the firmware is not signed as the configuration asks for.
 * - `storage-failed`: the firmware was fetched but cannot be kept, for example on a full disk.
 * - `source-unavailable`: the source cannot be reached, is overloaded or fails.
 * - `source-timeout`: the source made no progress in time.
 * - `source-refused`: the source refuses the credentials, or wants some.
 * - `source-invalid`: the source's answer makes no sense.
 * - `events-full`: so many events wait to be carried out that no other can be taken.
 */
export type ErrorCode =
  | "device-invalid"
  | "firmware-unknown"
  | "selection-invalid"
  | "selection-unmatched"
  | "firmware-gone"
  | "firmware-unavailable"
  | "downloads-full"
  | "artifact-invalid"
  | "signature-invalid"
  | "storage-failed"
  | "source-unavailable"
  | "source-timeout"
  | "source-refused"
  | "source-invalid"
  | "events-full";

/** Options of {@linkcode ServiceError}. */
export interface ServiceErrorOptions {
  /** What led to it; shown in logs only. */
  readonly cause?: unknown;
  /** After how many seconds the source wants to be asked again. */
  readonly retryAfterSeconds?: number | undefined;
}

/**
 * A failure with a code that callers act on and a message that may be shown to a device: one
 * sentence without full stop, never a secret. What only an operator should see is in `cause`.
 */
export class ServiceError extends Error {
  /** Always `ServiceError`. */
  override readonly name = "ServiceError";
  /** What callers act on. */
  readonly code: ErrorCode;
  /** After how many seconds the source wants to be asked again, where it said so. */
  readonly retryAfterSeconds: number | undefined;

  /**
   * Makes an error to throw.
   *
   * @param code What callers act on.
   * @param message One sentence that names the action and the state.
   * @param options Cause and the source's own wish for a retry.
   */
  constructor(code: ErrorCode, message: string, options: ServiceErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/**
 * Tells whether a value is a {@linkcode ServiceError} with one of the codes.
 *
 * @param error Anything that was thrown.
 * @param codes The codes that count; none given means any.
 * @returns Whether it is one.
 */
export function isServiceError(error: unknown, ...codes: ErrorCode[]): error is ServiceError {
  return error instanceof ServiceError && (codes.length === 0 || codes.includes(error.code));
}

/**
 * The messages of an error and of its causes in one line, outermost first, for a log.
 *
 * @param error Anything that was thrown.
 * @returns For example `Cannot list tags of "a/b": connection refused`.
 */
export function describeError(error: unknown): string {
  const messages: string[] = [];
  // A cause may point back at its error: ten links tell the story, and end.
  for (let link = error; link !== undefined && messages.length < 10;) {
    const message = link instanceof Error ? messageOf(link) : String(link);
    // Wrapping often repeats the inner message word for word.
    if (!messages.at(-1)?.includes(message)) messages.push(message);
    link = link instanceof Error ? link.cause : undefined;
  }
  return `${messages.join(": ")}${adviceFor(error)}`.replaceAll(/\s*[\r\n]+\s*/g, " ");
}

/** What to do where the system does not let something be stored. */
function adviceFor(error: unknown): string {
  const cause = isServiceError(error, "storage-failed") ? error.cause : undefined;
  if (cause instanceof Deno.errors.PermissionDenied) {
    return "; want it owned, and writable, by the user that runs OtaFlux";
  }
  const isInTheWay = cause instanceof Deno.errors.NotADirectory ||
    cause instanceof Deno.errors.IsADirectory || cause instanceof Deno.errors.AlreadyExists;
  return isInTheWay ? "; something else stands there: remove it" : "";
}

/** Where files are that Deno keeps from every program which may not do everything. */
const SYSTEM_FOLDERS = ["/proc", "/sys", "/dev"];

/** What Deno forbids it explains by a flag of its own, which nobody here can give. */
function messageOf(error: Error): string {
  if (!(error instanceof Deno.errors.NotCapable)) return error.message;
  const [, path = ""] = /"([^"]*)"/.exec(error.message) ?? [];
  return SYSTEM_FOLDERS.some((folder) => path === folder || path.startsWith(`${folder}/`))
    ? `OtaFlux uses nothing below ${SYSTEM_FOLDERS.join(", ")}, want a path elsewhere`
    : error.message.replace(/, run again with .*$/, "");
}
