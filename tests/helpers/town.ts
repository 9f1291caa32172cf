/**
 * A town in which the commands of the documents can be run: a registry, a broker and OtaFlux with
 * the devices that the documents speak of, a clone of this repository as the working folder, and a
 * folder that stands for `/`. No command in it can call another program than those of
 * `town_programs.ts`.
 *
 * @module
 */

import { join } from "node:path";
import { checksums } from "../../deploy/compile.ts";
import meta from "../../deno.json" with { type: "json" };
import { orasArtifact } from "./artifacts.ts";
import { makeCertificates } from "./certificates.ts";
import { DOCKER_REGISTRY_USER, DockerRegistry } from "./docker_registry.ts";
import { firmwareBytes } from "./firmware_bytes.ts";
import { freePort } from "./free_port.ts";
import { writeLayout } from "./layout.ts";
import { TextLineStream } from "./lines.ts";
import { Mosquitto, type MosquittoTools } from "./mosquitto.ts";
import { Otaflux } from "./otaflux.ts";
import { type RealPrograms, writePrograms } from "./town_programs.ts";

const REPOSITORY = join(import.meta.dirname ?? ".", "..", "..");

/** What `deno task start` and `deno task demo` need of the repository, and what is shown of it. */
const CLONE = ["main.ts", "deno.json", "deno.lock", "src", "deploy", "tests/helpers", "Dockerfile"];

/** What Deno itself wants to know. */
const PASSED_ON = ["HOME", "DENO_DIR", "XDG_CACHE_HOME", "NPM_CONFIG_REGISTRY"];

/** Programs that stay until they are ended, and a line of what they print once they work. */
const STAYING: readonly (readonly [command: RegExp, sign: RegExp])[] = [
  [/^(\w+=\S+ )*(deno task (-q )?start|otaflux) --(registry|layout)/, /Metrics are served/],
  [/ task demo$/, /Press Ctrl-C/],
  [/^docker-registry serve /, /listening on/],
  [/^mosquitto_sub /, /./],
];

/** How a command ended, or has begun. */
export interface Outcome {
  /** All that it has printed. */
  readonly stdout: string;
  /** All that it has complained of. */
  readonly stderr: string;
  /** Its exit status; undefined while it stays. */
  readonly code: number | undefined;
}

/** What runs in the town. */
interface Parts {
  readonly folder: string;
  readonly registry: DockerRegistry;
  readonly broker: Mosquitto;
  readonly otaflux: Otaflux;
}

/** The programs that a town is made of. */
export interface TownTools {
  /** Those that commands call. */
  readonly real: RealPrograms;
  /** The broker, and its clients. */
  readonly mosquitto: MosquittoTools;
}

/** A town; disposing of it ends all that was started. */
export class Town implements AsyncDisposable {
  readonly #parts: Parts;
  readonly #residents: Resident[] = [];
  /** Where an OtaFlux answers that a command starts. */
  readonly #ownPort = freePort();
  /** Where a registry answers that a command starts. */
  readonly #ownRegistryPort = freePort();

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Builds a town. */
  static async open({ real, mosquitto }: TownTools): Promise<Town> {
    const folder = await Deno.makeTempDir({ prefix: "otaflux-town-" });
    for (const name of ["bin", "calls", "home", "root/etc/otaflux", "root/etc/systemd/system"]) {
      await Deno.mkdir(join(folder, name), { recursive: true });
    }
    await writePrograms({ bin: join(folder, "bin"), calls: join(folder, "calls"), real });
    const [registry, broker] = await Promise.all([
      DockerRegistry.start(real["docker-registry"]),
      Mosquitto.start(mosquitto),
    ]);
    await fill(registry);
    const otaflux = await Otaflux.start({
      args: [
        ...["--registry-url", registry.origin, "--mqtt-url", broker.url],
        ...["--mqtt-topic", "firmware/updates", "--public-url", "https://ota.example.com"],
        ...["--homeassistant-discovery-prefix", "homeassistant"],
      ],
      env: credentialVariables(),
    });
    // From now on the broker has the message that a device finds there.
    await (await fetch(`${otaflux.origin}/version?device=esp32-garden`)).body?.cancel();
    const town = new Town({ folder, registry, broker, otaflux });
    await town.#furnish();
    return town;
  }

  /** Base address of the OtaFlux that was here before any command. */
  get origin(): string {
    return this.#parts.otaflux.origin;
  }

  /** The working folder. */
  get clone(): string {
    return join(this.#parts.folder, "clone");
  }

  /** The folder that stands for `/`. */
  get root(): string {
    return join(this.#parts.folder, "root");
  }

  /**
   * Says in the town's words what a document says: names, addresses and paths.
   *
   * @param text A command, what it prints, or a file.
   * @param isOwn Whether 127.0.0.1:8080 is an OtaFlux that the document starts itself.
   */
  translate(text: string, isOwn: boolean): string {
    const { registry, broker, otaflux } = this.#parts;
    const host = registry.host.replace("127.0.0.1", "localhost");
    const words: readonly (readonly [RegExp, string])[] = [
      [/https:\/\/registry\.example\.com/g, registry.origin],
      [/registry\.example\.com|localhost:5000/g, host],
      [/127\.0\.0\.1:5000/g, `127.0.0.1:${this.#ownRegistryPort}`],
      [/mqtts:\/\/broker\.example\.com/g, broker.url],
      [/-h broker\.example\.com/g, `-h 127.0.0.1 -p ${broker.port}`],
      [/http:\/\/(ota\.example\.com|localhost):8080/g, otaflux.origin],
      [/127\.0\.0\.1:8080/g, `127.0.0.1:${isOwn ? this.#ownPort : otaflux.port}`],
      [/(?<![\w.…/])\/(etc|run\/secrets|usr\/local)\//g, `${this.root}/$1/`],
      [/--registry-username robot/g, `--registry-username ${DOCKER_REGISTRY_USER.username}`],
      [/--registry-password secret/g, `--registry-password ${DOCKER_REGISTRY_USER.password}`],
      [/^(deno task start|otaflux) …/g, `$1 --registry-url ${registry.origin}`],
      [/sha256:…$/g, `sha256:${"0".repeat(64)}`],
    ];
    return words.reduce((said, [from, to]) => said.replaceAll(from, to), text);
  }

  /** Whether a command stays until it is ended, as an OtaFlux. */
  isService(command: string): boolean {
    return STAYING[0]?.[0].test(this.translate(command, true)) === true;
  }

  /** Runs a command to its end, or until it works if it stays. */
  async run(command: string): Promise<Outcome> {
    const [, sign] = STAYING.find(([staying]) => staying.test(command)) ?? [];
    const resident = new Resident(this.#start(command, sign !== undefined));
    if (sign === undefined) return await resident.ended();
    this.#residents.push(resident);
    await resident.until(sign);
    if (command.includes("--mqtt-url")) await resident.until(/MQTT broker is connected/);
    return { ...resident.printed, code: undefined };
  }

  /**
   * Asks an OtaFlux that a command has started for a device.
   *
   * @param options By https, or by http.
   * @returns The answer's status.
   */
  async ask({ isHttps }: { readonly isHttps: boolean }): Promise<number> {
    const caCerts = isHttps ? [await Deno.readTextFile(`${this.root}/etc/otaflux/ca.pem`)] : [];
    using client = Deno.createHttpClient({ caCerts });
    const origin = `http${isHttps ? "s" : ""}://127.0.0.1:${this.#ownPort}`;
    const response = await fetch(`${origin}/version?device=esp32-c3`, { client });
    await response.body?.cancel();
    return response.status;
  }

  /** Ends what stays, in the order that undoes. */
  async endResidents(): Promise<void> {
    for (const resident of this.#residents.splice(0).toReversed()) await resident.end();
  }

  /** The calls of programs that are not run since the last time, by their words. */
  async unplayed(): Promise<readonly (readonly string[])[]> {
    const folder = join(this.#parts.folder, "calls");
    const calls: string[][] = [];
    for await (const { name } of Deno.readDir(folder)) {
      calls.push((await Deno.readTextFile(join(folder, name))).split("\0").slice(0, -1));
      await Deno.remove(join(folder, name));
    }
    return calls;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { folder, registry, broker, otaflux } = this.#parts;
    await this.endResidents();
    await otaflux[Symbol.asyncDispose]();
    await broker[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  }

  #start(command: string, isStaying: boolean): Deno.ChildProcess {
    const { folder, registry, otaflux } = this.#parts;
    const bin = join(folder, "bin");
    return new Deno.Command(join(bin, "bash"), {
      args: ["-e", "-u", "-o", "pipefail", "-c", command],
      cwd: this.clone,
      clearEnv: true,
      env: {
        ...Object.fromEntries(PASSED_ON.flatMap((name) => {
          const value = Deno.env.get(name);
          return value === undefined ? [] : [[name, value]];
        })),
        PATH: bin,
        NO_COLOR: "1",
        GIT_DIR: join(REPOSITORY, ".git"),
        DOCKER_CONFIG: join(folder, "home"),
        CURL_HOME: join(folder, "home"),
        // "With the flags and variables of the service".
        REGISTRY_URL: registry.origin,
        ...credentialVariables(),
        LISTEN_ADDR: `127.0.0.1:${isStaying ? this.#ownPort : otaflux.port}`,
        METRICS_LISTEN_ADDR: "127.0.0.1:0",
      },
      // All that it starts ends with it.
      detached: true,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }

  /** Puts into its folders what the documents take for granted. */
  async #furnish(): Promise<void> {
    const { registry } = this.#parts;
    const { username, password } = DOCKER_REGISTRY_USER;
    for (const path of CLONE) await copy(join(REPOSITORY, path), join(this.clone, path));
    await Deno.writeFile(join(this.clone, "firmware.bin"), firmwareBytes(1000));
    const garden = orasArtifact(firmwareBytes(1000, 2));
    await writeLayout(join(this.clone, "firmware", "esp32-c3"), "1.0.0", garden);

    const etc = join(this.root, "etc", "otaflux");
    const { certPath, keyPath } = await makeCertificates(etc);
    await Deno.rename(certPath, join(etc, "fullchain.pem"));
    await Deno.rename(keyPath, join(etc, "privkey.pem"));
    const fixtures = join(REPOSITORY, "tests", "fixtures", "cosign");
    await Deno.copyFile(join(fixtures, "p256.pub"), join(etc, "cosign.pub"));
    await Deno.copyFile(join(fixtures, "trusted_root.json"), join(etc, "trusted_root.json"));
    for (const path of ["run/secrets/registry", "run/secrets/mqtt", "usr/local/bin/otaflux"]) {
      await Deno.mkdir(join(this.root, path, ".."), { recursive: true });
      await Deno.writeTextFile(join(this.root, path), `${password}\n`);
    }
    await this.#furnishDist();
    const auths = {
      [registry.host.replace("127.0.0.1", "localhost")]: { auth: btoa(`${username}:${password}`) },
    };
    const home = join(this.#parts.folder, "home");
    await Deno.writeTextFile(join(home, "config.json"), JSON.stringify({ auths }));
    // By itself curl is content with a 404.
    await Deno.writeTextFile(join(home, ".curlrc"), "fail\n");
  }

  /** What `deno task compile` would make, were it run. */
  async #furnishDist(): Promise<void> {
    const dist = join(this.clone, "dist");
    await Deno.mkdir(dist);
    const paths = ["x86_64", "aarch64"].map((arch) =>
      join(dist, `otaflux-${meta.version}-linux-${arch}`)
    );
    for (const path of paths) {
      await Deno.copyFile(join(this.#parts.folder, "bin", "otaflux"), path);
    }
    await Deno.writeTextFile(join(dist, "SHA256SUMS"), await checksums(paths));
  }
}

/** Who OtaFlux is at the registry. */
function credentialVariables(): Record<string, string> {
  const { username, password } = DOCKER_REGISTRY_USER;
  return { REGISTRY_USERNAME: username, REGISTRY_PASSWORD: password };
}

/** The devices of the documents. */
async function fill(registry: DockerRegistry): Promise<void> {
  const c3 = orasArtifact(firmwareBytes(1_000_003));
  for (const prefix of ["", "factory/", "my-project/"]) {
    for (const tag of ["v1.2.0", "latest"]) await registry.push(`${prefix}esp32-c3`, tag, c3);
  }
  // What deploy/demo.ts serves.
  await registry.push("esp32-garden", "v1.1.0", orasArtifact(firmwareBytes(314_159, 3)));
}

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(join(to, ".."), { recursive: true });
  if ((await Deno.stat(from)).isFile) return await Deno.copyFile(from, to);
  for await (const { name } of Deno.readDir(from)) await copy(join(from, name), join(to, name));
}

/** A command under way, with all that it starts. */
class Resident {
  readonly #process: Deno.ChildProcess;
  readonly #waiting = new Set<() => void>();
  readonly #reading: Promise<unknown>;
  readonly #stdout: string[] = [];
  readonly #stderr: string[] = [];
  #hasEnded = false;

  constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#reading = Promise.all([
      this.#read(process.stdout, this.#stdout),
      this.#read(process.stderr, this.#stderr),
    ]).then(() => {
      this.#hasEnded = true;
      this.#wake();
    });
  }

  get printed(): { readonly stdout: string; readonly stderr: string } {
    return { stdout: this.#stdout.join("\n"), stderr: this.#stderr.join("\n") };
  }

  /** Waits for a line. @throws {Error} It ended without */
  async until(sign: RegExp): Promise<void> {
    while (![...this.#stdout, ...this.#stderr].some((line) => sign.test(line))) {
      if (this.#hasEnded) {
        throw new Error(`Ended without ${sign}: ${JSON.stringify(this.printed)}`);
      }
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  async ended(): Promise<Outcome> {
    const [{ code }] = await Promise.all([this.#process.status, this.#reading]);
    return { ...this.printed, code };
  }

  async end(): Promise<void> {
    // The process and its children: each command is a group of its own.
    if (!this.#hasEnded) Deno.kill(-this.#process.pid, "SIGTERM");
    await this.ended();
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>, lines: string[]): Promise<void> {
    const texts = stream.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
    for await (const line of texts) {
      lines.push(line);
      this.#wake();
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
