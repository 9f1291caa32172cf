/**
 * The service as a process of its own, as devices and operators meet it.
 *
 * @module
 */

import { TextLineStream } from "./lines.ts";
import { type SubjectCommand, subjectCommand } from "./subject.ts";

/** How a service is started. */
export interface OtafluxOptions {
  /** Flags beside those for listening and logging. */
  readonly args?: readonly string[];
  /** The whole environment beside what Deno itself needs. */
  readonly env?: Readonly<Record<string, string>>;
  /** What is run. @default what `OTAFLUX_SUBJECT` asks for, as the user who runs the tests */
  readonly subject?: SubjectCommand;
}

/** How a process ended. */
export interface Ending {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A log record of the service's. */
export type LogRecord = Readonly<Record<string, unknown>> & { readonly message: string };

/** What Deno itself wants to know, and where the tests' own packages are. */
const PASSED_ON = ["PATH", "HOME", "DENO_DIR", "XDG_CACHE_HOME", "NPM_CONFIG_REGISTRY"];

/**
 * Runs the service to its end, for what it says and how it ends.
 *
 * @param options Flags and environment; nothing is added to them.
 */
export async function runOtaflux(options: OtafluxOptions): Promise<Ending> {
  const { code, stdout, stderr } = await (await command(options)).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** A running service on free loopback ports; disposing of it asks it to end, and waits. */
export class Otaflux implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #records: LogRecord[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #reading: Promise<void>;
  #ended = false;

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#reading = this.#read();
  }

  /**
   * Starts a service and waits until both of its listeners accept.
   *
   * @throws {Error} It ended instead; the message holds what it said.
   */
  static async start(options: OtafluxOptions = {}): Promise<Otaflux> {
    const args = [
      ...["--listen-addr", "127.0.0.1:0", "--metrics-listen-addr", "127.0.0.1:0"],
      ...["--log-format", "json", "--log-level", "debug"],
      ...options.args ?? [],
    ];
    const otaflux = new Otaflux((await command({ ...options, args })).spawn());
    await otaflux.logged("Metrics are served");
    return otaflux;
  }

  /** The process's number. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Where devices are answered. */
  get port(): number {
    return this.#portOf("Devices are served");
  }

  /** Base address of the API, without a slash at its end. */
  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Base address of the metrics, without a slash at its end. */
  get metricsOrigin(): string {
    return `http://127.0.0.1:${this.#portOf("Metrics are served")}`;
  }

  /** All that it logged so far. */
  get records(): readonly LogRecord[] {
    return this.#records;
  }

  /**
   * Waits for a record, which may have come already.
   *
   * @param properties What else it must say. @default anything
   * @throws {Error} The process ended without.
   */
  async logged(
    message: string,
    properties: Readonly<Record<string, unknown>> = {},
  ): Promise<LogRecord> {
    const isMeant = (record: LogRecord): boolean =>
      record.message === message &&
      Object.entries(properties).every(([name, value]) => record[name] === value);
    for (;;) {
      const record = this.#records.find(isMeant);
      if (record !== undefined) return record;
      if (this.#ended) {
        throw new Error(`Ended without logging "${message}": ${JSON.stringify(this.#records)}`);
      }
      await this.logs();
    }
  }

  /** Waits until it logs something more, or ends. @throws {Error} It has ended. */
  async logs(): Promise<void> {
    if (this.#ended) throw new Error(`Ended: ${JSON.stringify(this.#records)}`);
    await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  /** The metrics as Prometheus would read them. */
  async metrics(): Promise<string> {
    const response = await fetch(`${this.metricsOrigin}/metrics`);
    return await response.text();
  }

  /** Sends a signal, and does not wait. */
  signal(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  /** Waits for the end. */
  async ended(): Promise<Deno.CommandStatus> {
    const status = await this.#process.status;
    await this.#reading;
    return status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) this.#process.kill("SIGTERM");
    await this.ended();
  }

  #portOf(message: string): number {
    return Number(this.#records.find((record) => record.message === message)?.port);
  }

  async #read(): Promise<void> {
    const lines = this.#process.stderr
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream());
    for await (const line of lines) {
      this.#records.push(parseLine(line));
      this.#wake();
    }
    await this.#process.status;
    this.#ended = true;
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

async function command({ args = [], env = {}, ...given }: OtafluxOptions): Promise<Deno.Command> {
  const subject = given.subject ?? await subjectCommand();
  const passedOn = PASSED_ON.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  });
  return new Deno.Command(subject.command, {
    args: [...subject.args, ...args],
    env: { NO_COLOR: "1", ...Object.fromEntries(passedOn), ...env },
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** What is no record is kept as one: a stack trace is what a failing test wants to show. */
function parseLine(line: string): LogRecord {
  try {
    return JSON.parse(line);
  } catch {
    return { message: line };
  }
}
