/**
 * What the service may log while others die around it: anything else at `warn` or `error`, and any
 * line that is no record, is a finding.
 *
 * @module
 */

import type { LogRecord } from "../helpers/otaflux.ts";
import type { Catalogue } from "./catalogue.ts";
import type { Findings } from "./findings.ts";

/** Messages that docs/operations.md, docs/mqtt.md and docs/tls.md foretell for what is done here. */
const EXPECTED: readonly string[] = [
  "Registry does not answer",
  "Cannot check for a newer firmware, serving the known one",
  "Tag is listed, but has no manifest",
  "MQTT broker cannot be reached",
  "Notification cannot be published, trying again later",
  "Notification cannot be kept on disk",
  "Event cannot be carried out yet",
  "Events that were taken cannot be noted, a repetition will be carried out after a restart",
  "Request cannot be answered",
  "Downloads are at their limit, others are sent away",
];

/** Reasons that are the sender's: one that does not wait for a paused service goes away. */
const EXPECTED_REASONS: readonly unknown[] = ["Body was cut off"];

const GRAVE: readonly unknown[] = ["warn", "error"];

/** Options of {@linkcode LogJudge}. */
export interface LogJudgeOptions {
  /** Hears of what should not have been logged. */
  readonly findings: Findings;
  /** Hears of what was fetched, and of what had to go. */
  readonly catalogue: Catalogue;
  /** What must be in no line. */
  readonly secrets: readonly string[];
  /** Where all lines are kept, for whoever looks into a breach. @default nowhere */
  readonly path?: string | undefined;
}

/** Reads the log. */
export class LogJudge {
  readonly #options: LogJudgeOptions;

  constructor(options: LogJudgeOptions) {
    this.#options = options;
  }

  /** Judges lines that were not judged before. */
  judge(records: readonly LogRecord[]): void {
    const { findings, secrets, path } = this.#options;
    if (path !== undefined) {
      const lines = records.map((record) => `${JSON.stringify(record)}\n`);
      Deno.writeTextFileSync(path, lines.join(""), { append: true });
    }
    for (const record of records) {
      const line = JSON.stringify(record);
      if (secrets.some((secret) => line.includes(secret))) findings.breach("secret told", line);
      this.#follow(record);
      if (GRAVE.includes(record.level)) findings.logged(record.message);
      const isExpected = typeof record.level === "string" &&
        (!GRAVE.includes(record.level) || EXPECTED.includes(record.message) ||
          EXPECTED_REASONS.includes(record.reason));
      if (!isExpected) findings.breach("unexpected line in the log", line);
    }
  }

  /** What the service has is known from its log only. */
  #follow({ message, device, digest, sha256 }: LogRecord): void {
    const { findings, catalogue } = this.#options;
    if (message === "Fetched firmware") {
      findings.count("firmware fetched");
      catalogue.fetched(String(device), String(digest));
    }
    if (message === "Firmware has to go, the cache is full") {
      findings.count("firmware evicted");
      catalogue.evicted(String(sha256));
    }
  }
}
