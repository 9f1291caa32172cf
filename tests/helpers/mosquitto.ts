/**
 * Debian's `mosquitto` as a test's own broker, and `mosquitto_sub` as a subscriber that shares no
 * code with us.
 *
 * @module
 */

import { join } from "node:path";
import type { Certificates } from "./certificates.ts";
import { run } from "./cache.ts";
import { type DebianTool, debianTool, type Unavailable } from "./debian.ts";
import { freePort } from "./free_port.ts";
import { freeze } from "./freeze.ts";
import { TextLineStream } from "./lines.ts";

/** The programs of both packages. */
export interface MosquittoTools {
  readonly broker: DebianTool;
  readonly passwords: DebianTool;
  readonly subscriber: DebianTool;
  readonly publisher: DebianTool;
}

/** The programs, or why they cannot be had. */
export async function mosquittoTools(): Promise<MosquittoTools | Unavailable> {
  const broker = await debianTool("mosquitto");
  const passwords = await debianTool("mosquitto", { binary: "mosquitto_passwd" });
  const subscriber = await debianTool("mosquitto-clients", { binary: "mosquitto_sub" });
  const publisher = await debianTool("mosquitto-clients", { binary: "mosquitto_pub" });
  for (const tool of [broker, passwords, subscriber, publisher]) if ("skip" in tool) return tool;
  return { broker, passwords, subscriber, publisher } as MosquittoTools;
}

/** How a broker is set up. */
export interface MosquittoOptions {
  /** Who may come in. @default everybody */
  readonly user?: { readonly username: string; readonly password: string };
  /** What the broker shows; with `isMutual`, clients must show some of the same authority. */
  readonly tls?: Certificates & { readonly isMutual?: boolean };
  /** Lines of its configuration. @default none */
  readonly lines?: readonly string[];
}

/** A message as the subscriber has it. */
export interface Received {
  readonly topic: string;
  /** Whether it was there before the subscription. */
  readonly isRetained: boolean;
  readonly qos: number;
  readonly payload: string;
}

/** Far beyond the fraction of a second that it takes, far below a test runner's patience. */
const START_TIMEOUT_MS = 20_000;

/** A broker on a free loopback port; it can be killed, frozen, and started again there. */
export class Mosquitto implements AsyncDisposable {
  readonly #tools: MosquittoTools;
  readonly #options: MosquittoOptions;
  readonly #directory: string;
  /** Where it listens. */
  readonly port: number = freePort();
  #process: Deno.ChildProcess | undefined;
  #log: Promise<unknown> = Promise.resolve();
  /** All that it logged. */
  readonly log: string[] = [];

  private constructor(tools: MosquittoTools, options: MosquittoOptions, directory: string) {
    this.#tools = tools;
    this.#options = options;
    this.#directory = directory;
  }

  /** Starts a broker and waits until it listens. @throws {Error} It does not; with its log */
  static async start(tools: MosquittoTools, options: MosquittoOptions = {}): Promise<Mosquitto> {
    const directory = await Deno.makeTempDir({ prefix: "mosquitto-" });
    const broker = new Mosquitto(tools, options, directory);
    try {
      await broker.#configure();
      await broker.start();
    } catch (error) {
      await broker[Symbol.asyncDispose]();
      throw error;
    }
    return broker;
  }

  /** What `--mqtt-url` takes. */
  get url(): string {
    return this.#options.tls ? `mqtts://localhost:${this.port}` : `mqtt://127.0.0.1:${this.port}`;
  }

  /** Starts it again after {@linkcode Mosquitto.kill}, on the same port. */
  async start(): Promise<void> {
    const { path, env } = this.#tools.broker;
    const process = new Deno.Command(path, {
      args: ["-c", join(this.#directory, "mosquitto.conf")],
      env: { ...env },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#process = process;
    const { promise: running, resolve } = Promise.withResolvers<boolean>();
    const late = setTimeout(() => resolve(false), START_TIMEOUT_MS);
    this.#log = (async (): Promise<void> => {
      for await (const line of linesOf(process.stderr)) {
        this.log.push(line);
        if (/mosquitto version \S+ running/.test(line)) resolve(true);
      }
      resolve(false);
    })();
    const isRunning = await running;
    clearTimeout(late);
    if (!isRunning) throw new Error(`Cannot start "${path}":\n${this.log.join("\n")}`);
  }

  /** Ends it at once, by SIGKILL. */
  async kill(): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    try {
      process?.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // It has ended by itself.
    }
    await Promise.all([process?.status, this.#log]);
  }

  /** Freezes it, and waits until it is frozen. */
  async pause(): Promise<void> {
    if (this.#process) await freeze(this.#process);
  }

  /** Lets a frozen broker go on where it was. */
  resume(): void {
    this.#process?.kill("SIGCONT");
  }

  /** Subscribes by `mosquitto_sub`, and waits until the broker has confirmed it. */
  async subscribe(filter: string): Promise<Subscriber> {
    const subscriber = new Subscriber(this.#tools.subscriber, [
      ...this.#clientArgs(),
      "-t",
      filter,
    ]);
    await subscriber.subscribed;
    return subscriber;
  }

  /** Publishes by `mosquitto_pub`, retained. */
  async publish(topic: string, payload: string): Promise<void> {
    const { path, env } = this.#tools.publisher;
    const args = [...this.#clientArgs(), "-t", topic, "-m", payload, "-r", "-q", "1"];
    const { success, stderr } = await run(path, { args, env: { ...env } });
    if (!success) throw new Error(`Cannot publish: ${stderr}`);
  }

  /** Ends it and removes its files. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#directory, { recursive: true });
  }

  #clientArgs(): string[] {
    const { user, tls } = this.#options;
    return [
      ...["-h", tls ? "localhost" : "127.0.0.1", "-p", `${this.port}`],
      ...(user ? ["-u", user.username, "-P", user.password] : []),
      ...(tls ? ["--cafile", tls.caPath] : []),
      ...(tls?.isMutual ? ["--cert", tls.certPath, "--key", tls.keyPath] : []),
    ];
  }

  async #configure(): Promise<void> {
    const { user, tls, lines = [] } = this.#options;
    const passwordFile = join(this.#directory, "passwords");
    if (user !== undefined) {
      const { path, env } = this.#tools.passwords;
      const args = ["-b", "-c", passwordFile, user.username, user.password];
      const { success, stderr } = await run(path, { args, env: { ...env } });
      if (!success) throw new Error(`Cannot run mosquitto_passwd: ${stderr}`);
    }
    const config = [
      `listener ${this.port} 127.0.0.1`,
      ...(user ? [`password_file ${passwordFile}`] : ["allow_anonymous true"]),
      ...(tls ? [`certfile ${tls.certPath}`, `keyfile ${tls.keyPath}`] : []),
      ...(tls?.isMutual ? [`cafile ${tls.caPath}`, "require_certificate true"] : []),
      ...(Deno.uid() === 0 ? ["user root"] : []),
      ...lines,
    ];
    await Deno.writeTextFile(join(this.#directory, "mosquitto.conf"), `${config.join("\n")}\n`);
  }
}

/** A running `mosquitto_sub`. It comes back by itself when the broker does. */
export class Subscriber implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #waiting = new Set<() => void>();
  readonly #reading: Promise<unknown>;
  readonly #subscribed = Promise.withResolvers<void>();
  /** All messages so far, in their order. */
  readonly messages: Received[] = [];
  #ended = false;

  constructor({ path, env }: DebianTool, args: readonly string[]) {
    this.#process = new Deno.Command("stdbuf", {
      // By lines, so that nothing is held back.
      args: ["-oL", path, "-d", "-q", "1", "-F", "received %r %q %t %p", ...args],
      env: { ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#reading = this.#read();
  }

  /** Settles once the broker has confirmed the subscription. */
  get subscribed(): Promise<void> {
    return this.#subscribed.promise;
  }

  /** Waits for a message, which may have come already. @throws {Error} The subscriber ended */
  async received(isMeant: (message: Received) => boolean): Promise<Received> {
    for (;;) {
      const message = this.messages.find(isMeant);
      if (message !== undefined) return message;
      if (this.#ended) throw new Error(`Ended without: ${JSON.stringify(this.messages)}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) this.#process.kill("SIGTERM");
    await Promise.all([this.#process.status, this.#reading]);
  }

  async #read(): Promise<void> {
    for await (const line of linesOf(this.#process.stdout)) {
      if (line.startsWith("Subscribed (")) this.#subscribed.resolve();
      const [, retained, qos, topic = "", payload = ""] =
        /^received ([01]) (\d) (\S+) (.*)$/.exec(line) ?? [];
      if (retained === undefined) continue;
      this.messages.push({ topic, isRetained: retained === "1", qos: Number(qos), payload });
      this.#wake();
    }
    this.#ended = true;
    this.#subscribed.reject(new Error("mosquitto_sub ended"));
    this.#subscribed.promise.catch(() => {});
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

function linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): ReadableStream<string> {
  return stream.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
}
