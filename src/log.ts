/**
 * Where log records go and how a line looks. Other rooms only call {@linkcode logger}.
 *
 * @module
 */

import {
  configureSync,
  getLogger,
  type Logger,
  type LogLevel as LogTapeLevel,
  type LogRecord,
} from "@logtape/logtape";

/** Levels as flags name them, from the most to the least talkative. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error"] as const;

/** One of {@linkcode LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** How a line looks: for people, or one JSON object. */
export const LOG_FORMATS = ["text", "json"] as const;

/** One of {@linkcode LOG_FORMATS}. */
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Options of {@linkcode configureLogging}. */
export interface LoggingOptions {
  /** Records below this level are dropped. */
  readonly level: LogLevel;
  /** How a line looks. */
  readonly format: LogFormat;
  /** Takes one line, without its line break. @default stderr */
  readonly write?: (line: string) => void;
}

/**
 * The logger of a room. Messages are constant sentences; what varies is in the properties, so that
 * a log can be searched by both. Secrets are never passed.
 *
 * @param room The room's name, such as `registry`.
 * @returns The logger.
 */
export function logger(room: string): Logger {
  return getLogger(["otaflux", room]);
}

/**
 * Sends all records of this level and above to stderr. Without it nothing is logged.
 *
 * @param options Level, format and destination.
 */
export function configureLogging(options: LoggingOptions): void {
  const format = options.format === "json" ? formatJson : formatText;
  const write = options.write ?? writeToStderr;
  configureSync({
    reset: true,
    sinks: { lines: (record) => write(format(record)) },
    loggers: [
      { category: "otaflux", lowestLevel: toLogTapeLevel(options.level), sinks: ["lines"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["lines"] },
    ],
  });
}

function toLogTapeLevel(level: LogLevel): LogTapeLevel {
  return level === "warn" ? "warning" : level;
}

function fromLogTapeLevel(level: LogTapeLevel): string {
  return level === "warning" ? "warn" : level;
}

function formatJson(record: LogRecord): string {
  return toJson({
    time: new Date(record.timestamp).toISOString(),
    level: fromLogTapeLevel(record.level),
    room: record.category.at(-1),
    message: messageOf(record),
    ...record.properties,
  });
}

function formatText(record: LogRecord): string {
  const time = new Date(record.timestamp).toISOString();
  const level = fromLogTapeLevel(record.level).toUpperCase().padEnd(5);
  const properties = Object.entries(record.properties)
    .map(([key, value]) => ` ${key}=${formatValue(value)}`);
  return `${time} ${level} ${messageOf(record)}${properties.join("")}`;
}

function messageOf(record: LogRecord): string {
  return record.message.map(String).join("");
}

/** Quotes what would break a line or a `key=value` pair: log lines hold what strangers sent. */
function formatValue(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value) ?? "undefined";
  return /^[^\s"=\p{C}]+$/u.test(text) ? text : toJson(text);
}

/** `JSON.stringify` leaves characters as they are that some terminals and log readers obey. */
function toJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (character) =>
      character.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
        .join(""),
  );
}

const encoder = new TextEncoder();

function writeToStderr(line: string): void {
  const bytes = encoder.encode(`${line}\n`);
  try {
    for (let written = 0; written < bytes.length;) {
      written += Deno.stderr.writeSync(bytes.subarray(written));
    }
  } catch {
    // A closed stderr (its reader died) must not take the service down with it.
  }
}
