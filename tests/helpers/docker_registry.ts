/**
 * Debian's `docker-registry`, the reference registry of the distribution-spec, as a test's own.
 *
 * @module
 * @see https://distribution.github.io/distribution/about/configuration/
 */

import { join } from "node:path";
import type { DebianTool } from "./debian.ts";
import { freePort } from "./free_port.ts";
import { freeze } from "./freeze.ts";
import type { Artifact } from "./manifest.ts";
import { deleteManifest, pushArtifact, type PushTarget } from "./push.ts";
import type { Credentials } from "./registry/auth.ts";

/** The only user that the registry knows, where it knows any. */
export const DOCKER_REGISTRY_USER: Credentials = {
  username: "otaflux-test",
  password: "correct-horse",
};

/** Of the user above, made by `htpasswd -Bbn -C 4`: the registry takes nothing but bcrypt. */
const HTPASSWD = "otaflux-test:$2y$04$cxaH9jMpCtQ3F0Q7SnngZeEWYbu1xJzTpk5IaBlcu6FkZevFpD0RW\n";
/** Far beyond the fraction of a second that it takes, far below a test runner's patience. */
const START_TIMEOUT_MS = 20_000;
/** Enough of the log to see why a test failed. */
const LOG_LINES_KEPT = 200;

/** An endpoint that is told of pushes, in the words of the registry's configuration. */
export interface NotificationEndpoint {
  /** Distinguishes it in the registry's log. */
  readonly name: string;
  /** Where events are posted to. */
  readonly url: string;
  /** Sent along, such as `{Authorization: ["Bearer secret"]}`. */
  readonly headers?: Readonly<Record<string, readonly string[]>>;
  /** With a unit, such as `1s`. */
  readonly timeout?: string;
  /** Failures in a row before it waits for `backoff`. */
  readonly threshold?: number;
  /** With a unit, such as `1s`. */
  readonly backoff?: string;
  /** Events that are not sent; 2.8 heeds `actions` only beside `mediatypes`. */
  readonly ignore?: {
    readonly mediatypes?: readonly string[];
    readonly actions?: readonly string[];
  };
}

/** How a registry is set up. */
export interface DockerRegistryOptions {
  /** Asks for {@linkcode DOCKER_REGISTRY_USER}. @default true */
  readonly auth?: boolean;
  /** Told of pushes, pulls and deletions. @default nobody */
  readonly notifications?: readonly NotificationEndpoint[];
  /** Members added to the `http` section, such as `tls`. @default none */
  readonly http?: Readonly<Record<string, unknown>>;
}

/**
 * A registry process on a free loopback port, with storage of its own. It allows deletion, and can
 * be stopped, killed, frozen and started again with the same port and storage.
 */
export class DockerRegistry implements AsyncDisposable {
  readonly #tool: DebianTool;
  readonly #options: DockerRegistryOptions;
  readonly #directory: string;
  readonly #log: string[] = [];
  readonly #port = freePort();
  #process: { readonly child: Deno.ChildProcess; readonly logged: Promise<void> } | undefined;

  private constructor(tool: DebianTool, options: DockerRegistryOptions, directory: string) {
    this.#tool = tool;
    this.#options = options;
    this.#directory = directory;
  }

  /**
   * Starts a registry and waits until it answers.
   *
   * @param tool - Of `debianTool("docker-registry")`
   * @throws {Error} It ended instead; the message has its log
   */
  static async start(
    tool: DebianTool,
    options: DockerRegistryOptions = {},
  ): Promise<DockerRegistry> {
    const directory = await Deno.makeTempDir({ prefix: "docker-registry-" });
    const registry = new DockerRegistry(tool, options, directory);
    try {
      await Deno.writeTextFile(join(directory, "htpasswd"), HTPASSWD);
      await registry.start();
    } catch (error) {
      await registry[Symbol.asyncDispose]();
      throw error;
    }
    return registry;
  }

  /** Host and port, as references begin with. */
  get host(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Base address, without a slash at its end. */
  get origin(): string {
    return `http://${this.host}`;
  }

  /** The latest lines of its log, oldest first. */
  get log(): readonly string[] {
    return this.#log;
  }

  /** Pushes an artifact with all below it. @throws {Error} The registry refused something */
  async push(repository: string, tag: string | undefined, artifact: Artifact): Promise<void> {
    await pushArtifact(this.target(repository), tag, artifact);
  }

  /** Deletes a manifest with all its tags. @throws {Error} It is not there */
  async deleteManifest(repository: string, digest: string): Promise<void> {
    await deleteManifest(this.target(repository), digest);
  }

  /** The file that a blob has in the storage, or would have. */
  blobPath(digest: string): string {
    const [algorithm = "", hex = ""] = digest.split(":");
    const blobs = join(this.#directory, "storage/docker/registry/v2/blobs");
    return join(blobs, algorithm, hex.slice(0, 2), hex, "data");
  }

  /** Names a repository to the functions of `push.ts`, with the credentials that it takes. */
  target(repository: string): PushTarget {
    const credentials = this.#options.auth === false ? {} : { credentials: DOCKER_REGISTRY_USER };
    return { registryUrl: this.origin, repository, ...credentials };
  }

  /**
   * Starts the registry again after {@linkcode stop} or {@linkcode kill}, on the same port and
   * storage, and waits until it answers. One that runs is left alone.
   *
   * @throws {Error} It ended instead; the message has its log
   */
  async start(): Promise<void> {
    if (this.#process) return;
    const configuration = join(this.#directory, "config.yml");
    // JSON is YAML.
    await Deno.writeTextFile(configuration, JSON.stringify(this.#configuration()));
    const child = new Deno.Command(this.#tool.path, {
      args: ["serve", configuration],
      clearEnv: true,
      env: this.#tool.env,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const listening = Promise.withResolvers<boolean>();
    const logged = this.#readLog(child.stderr, () => listening.resolve(true));
    this.#process = { child, logged };
    const tooLate = AbortSignal.timeout(START_TIMEOUT_MS);
    tooLate.addEventListener("abort", () => listening.resolve(false), { once: true });
    if (!await Promise.race([listening.promise, logged.then(() => false)])) {
      await this.kill();
      throw new Error(`Cannot start "${this.#tool.path}":\n${this.#log.join("\n")}`);
    }
  }

  /** Ends the registry as an administrator does, by SIGTERM, and waits for it. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** Ends the registry at once, by SIGKILL: connections break off. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /**
   * Freezes the registry, and waits until it is frozen: connections are still accepted, by the
   * kernel, and nobody answers.
   */
  async pause(): Promise<void> {
    if (this.#process) await freeze(this.#process.child);
  }

  /** Lets a frozen registry go on where it was. */
  resume(): void {
    this.#process?.child.kill("SIGCONT");
  }

  /** Ends the registry and removes its storage. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#directory, { recursive: true });
  }

  async #end(signal: Deno.Signal): Promise<void> {
    const process = this.#process;
    if (!process) return;
    this.#process = undefined;
    try {
      process.child.kill(signal);
      // A frozen process gets no other signal than SIGKILL until it goes on.
      process.child.kill("SIGCONT");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // It has ended by itself.
    }
    await Promise.all([process.child.status, process.logged]);
  }

  #configuration(): Readonly<Record<string, unknown>> {
    const { auth = true, notifications = [], http = {} } = this.#options;
    return {
      version: "0.1",
      log: { level: "info" },
      storage: {
        filesystem: { rootdirectory: join(this.#directory, "storage") },
        delete: { enabled: true },
      },
      http: { addr: this.host, secret: "shared by all starts of this registry", ...http },
      ...(auth && {
        auth: { htpasswd: { realm: "test", path: join(this.#directory, "htpasswd") } },
      }),
      ...(notifications.length > 0 && { notifications: { endpoints: notifications } }),
    };
  }

  /** Keeps the log, and says so when its line comes that the socket listens. */
  async #readLog(
    stderr: ReadableStream<Uint8Array<ArrayBuffer>>,
    listening: () => void,
  ): Promise<void> {
    let unfinished = "";
    for await (const text of stderr.pipeThrough(new TextDecoderStream())) {
      const lines = (unfinished + text).split("\n");
      unfinished = lines.pop() ?? "";
      if (lines.some((line) => line.includes('msg="listening on '))) listening();
      this.#log.push(...lines);
      this.#log.splice(0, this.#log.length - LOG_LINES_KEPT);
    }
  }
}
