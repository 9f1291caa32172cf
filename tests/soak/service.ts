/**
 * The service under sabotage: the same ports and the same folder through all of its lives.
 *
 * @module
 */

import { freePort } from "../helpers/free_port.ts";
import { freeze } from "../helpers/freeze.ts";
import { Otaflux, type OtafluxOptions } from "../helpers/otaflux.ts";
import type { Cut } from "./connection.ts";
import type { Findings } from "./findings.ts";
import type { LogJudge } from "./log_lines.ts";

/** Options of {@linkcode Service}. */
export interface ServiceOptions {
  /** Where devices are answered, always. */
  readonly port: number;
  /** Flags beside those for listening and the refresh interval, and the environment. */
  readonly otaflux: Required<Omit<OtafluxOptions, "subject">>;
  /** Hears of an end that nobody caused. */
  readonly findings: Findings;
  /** Reads what it logs. */
  readonly log: LogJudge;
}

/** One running process, and how much of its log was read. */
interface Life {
  readonly otaflux: Otaflux;
  readonly refreshInterval: string;
  judged: number;
  /** Whether its end is ours. */
  isEnding: boolean;
}

/** OtaFlux, killed and started again. */
export class Service implements AsyncDisposable {
  readonly #options: ServiceOptions;
  readonly #metricsPort = freePort();
  /** Where devices are answered, always. */
  readonly port: number;
  #current: Life | undefined;
  #starting: Promise<void> | undefined;
  #lives = 0;
  /** The last moments, as far as they are over, at which nobody answered. */
  #lastDownMs = -Infinity;
  #lastPausedMs = -Infinity;
  #isPaused = false;

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.port = options.port;
  }

  /** How often it has ended: what one process said does not bind the next one. */
  get life(): number {
    return this.#lives;
  }

  /** Whether it runs. */
  get isUp(): boolean {
    return this.#current !== undefined;
  }

  /** The running process's number. */
  get pid(): number {
    return this.#running.otaflux.pid;
  }

  /** Base address of the API. */
  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts it, unless it runs, and waits until it listens. */
  async start(refreshInterval: string): Promise<void> {
    if (this.isUp) return;
    this.#starting ??= this.#start(refreshInterval).finally(() => this.#starting = undefined);
    await this.#starting;
  }

  /** Ends it at once, by SIGKILL. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Asks it to end, by SIGTERM, and waits. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** Freezes it. */
  async pause(): Promise<void> {
    if (this.#current === undefined) return;
    const { otaflux } = this.#current;
    this.#isPaused = true;
    await freeze({ pid: otaflux.pid, kill: (signal) => otaflux.signal(signal) });
  }

  /** Lets it go on. */
  resume(): void {
    this.#current?.otaflux.signal("SIGCONT");
    this.#isPaused = false;
    this.#lastPausedMs = performance.now();
  }

  /** Judges what it logged since the last time. */
  judgeLog(): void {
    const life = this.#current;
    if (life === undefined) return;
    const { records } = life.otaflux;
    this.#options.log.judge(records.slice(life.judged));
    life.judged = records.length;
  }

  /** Whether a connection may break off, or stay silent: it was killed, or paused, meanwhile. */
  excuses(cut: Cut, { sinceMs }: { readonly sinceMs: number }): boolean {
    if (!this.isUp || this.#lastDownMs >= sinceMs) return true;
    return cut.isTimeout && (this.#isPaused || this.#lastPausedMs >= sinceMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isPaused) this.resume();
    if (this.#current !== undefined) await this.stop();
  }

  get #running(): Life {
    if (this.#current === undefined) throw new TypeError("The service does not run");
    return this.#current;
  }

  async #start(refreshInterval: string): Promise<void> {
    const { otaflux: { args, env } } = this.#options;
    const otaflux = await Otaflux.start({
      args: [
        ...["--listen-addr", `127.0.0.1:${this.port}`, "--refresh-interval", refreshInterval],
        ...["--metrics-listen-addr", `127.0.0.1:${this.#metricsPort}`, ...args],
      ],
      env,
    });
    const life = { otaflux, refreshInterval, judged: 0, isEnding: false };
    this.#lastDownMs = performance.now();
    this.#current = life;
    void this.#watch(life);
  }

  async #end(signal: Deno.Signal): Promise<void> {
    const life = this.#current;
    if (life === undefined) return;
    life.isEnding = true;
    this.#current = undefined;
    // Before the next process can answer anybody.
    this.#lives++;
    life.otaflux.signal(signal);
    await life.otaflux.ended();
    this.#options.log.judge(life.otaflux.records.slice(life.judged));
  }

  /** What has ended by itself is started again, as a machine would do it. */
  async #watch(life: Life): Promise<void> {
    const { code, signal } = await life.otaflux.ended();
    if (life.isEnding) return;
    this.#current = undefined;
    this.#lives++;
    const last = life.otaflux.records.slice(-5);
    this.#options.findings.breach(
      "ended by itself",
      `status ${code}, signal ${signal}, last words ${JSON.stringify(last)}`,
    );
    await this.start(life.refreshInterval);
  }
}
