/**
 * What the code under test logs, as records.
 *
 * @module
 */

import { resetSync } from "@logtape/logtape";
import { configureLogging } from "../../src/log.ts";

/** A record, as the JSON format has it. */
export type CapturedRecord = Readonly<Record<string, unknown>> & {
  readonly level: string;
  readonly message: string;
};

/** Takes all that is logged from `info` on, until it is disposed of. */
export class CapturedLogs implements Disposable {
  readonly #records: CapturedRecord[] = [];

  /** Begins to take. */
  constructor() {
    configureLogging({
      level: "info",
      format: "json",
      write: (line) => this.#records.push(JSON.parse(line)),
    });
  }

  /** All so far. */
  get records(): readonly CapturedRecord[] {
    return this.#records;
  }

  /** The messages of one level, in their order. */
  messages(level: "info" | "warn"): readonly string[] {
    return this.#records.filter((record) => record.level === level).map(({ message }) => message);
  }

  [Symbol.dispose](): void {
    resetSync();
  }
}
