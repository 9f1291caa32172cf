/**
 * A town in which the commands of the documents can be run: a registry, a broker and OtaFlux with
 * the devices that the documents speak of, a clone of this repository as the working folder, and a
 * folder that stands for `/`. No command in it can call another program than those of
 * `programs.ts`.
 *
 * @module
 */

import { join } from "node:path";
import { run } from "../cache.ts";
import { DOCKER_REGISTRY_USER, DockerRegistry } from "../docker_registry.ts";
import { freePort } from "../free_port.ts";
import { Mosquitto, type MosquittoTools } from "../mosquitto.ts";
import { Otaflux } from "../otaflux.ts";
import { type Folders, furnish, pushFirmware } from "./furniture.ts";
import { type RealPrograms, writePrograms } from "./programs.ts";
import { type Outcome, Resident } from "./resident.ts";

const REPOSITORY = join(import.meta.dirname ?? ".", "..", "..", "..");

/** Programs that stay until they are ended, and a line of what they print once they work. */
const STAYING: readonly (readonly [command: RegExp, sign: RegExp])[] = [
  [/^(\w+=\S+ )*(deno task (-q )?start|otaflux) --(registry|layout)/, /Metrics are served/],
  [/ task demo$/, /Press Ctrl-C/],
  [/^docker-registry serve /, /listening on/],
  [/^mosquitto_sub /, /./],
];

/** What runs in the town, and where. */
interface Parts {
  readonly folders: Folders & { readonly cache: string; readonly calls: string };
  readonly registry: DockerRegistry;
  readonly broker: Mosquitto;
  readonly otaflux: Otaflux;
  /** Where Deno keeps what it has downloaded. */
  readonly denoDir: string;
  /** Ends all of it. */
  readonly all: AsyncDisposableStack;
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
    await using stack = new AsyncDisposableStack();
    const folder = await Deno.makeTempDir({ prefix: "otaflux-town-" });
    stack.defer(() => Deno.remove(folder, { recursive: true }));
    const named = (name: string): string => join(folder, name);
    const folders = {
      ...{ bin: named("bin"), cache: named("cache"), calls: named("calls") },
      ...{ clone: named("clone"), home: named("home"), root: named("root") },
    };
    for (const path of Object.values(folders)) await Deno.mkdir(path);
    await writePrograms({ ...folders, real });
    const registry = stack.use(await DockerRegistry.start(real["docker-registry"]));
    const broker = stack.use(await Mosquitto.start(mosquitto));
    await pushFirmware(registry);
    await furnish(folders, localName(registry));
    const otaflux = stack.use(
      await Otaflux.start({
        args: [
          ...["--registry-url", registry.origin, "--cache-dir", folders.cache],
          ...["--mqtt-url", broker.url],
          ...["--mqtt-topic", "firmware/updates", "--public-url", "https://ota.example.com"],
          ...["--homeassistant-discovery-prefix", "homeassistant"],
        ],
        env: credentialVariables(),
      }),
    );
    // From now on the broker has the message that a device finds there.
    await (await fetch(`${otaflux.origin}/version?device=esp32-garden`)).body?.cancel();
    const { stdout } = await run(Deno.execPath(), { args: ["info", "--json"] });
    const { denoDir } = JSON.parse(stdout);
    return new Town({ folders, registry, broker, otaflux, denoDir, all: stack.move() });
  }

  /** The folders: to look into them, and to put files there. */
  get folders(): Folders {
    return this.#parts.folders;
  }

  /**
   * Says in the town's words what a document says: names, addresses and paths.
   *
   * @param text A command, what it prints, or a file.
   * @param isOwn Whether 127.0.0.1:8080 is an OtaFlux that the document starts itself.
   */
  translate(text: string, isOwn: boolean): string {
    const { registry, broker, otaflux, folders: { cache, root } } = this.#parts;
    const words: readonly (readonly [RegExp, string])[] = [
      [/https:\/\/registry\.example\.com/g, registry.origin],
      [/registry\.example\.com|localhost:5000/g, localName(registry)],
      [/127\.0\.0\.1:5000/g, `127.0.0.1:${this.#ownRegistryPort}`],
      [/mqtts:\/\/broker\.example\.com/g, broker.url],
      [/-h broker\.example\.com/g, `-h 127.0.0.1 -p ${broker.port}`],
      [/http:\/\/(ota\.example\.com|localhost):8080/g, otaflux.origin],
      [/127\.0\.0\.1:8080/g, `127.0.0.1:${isOwn ? this.#ownPort : otaflux.port}`],
      [/(?<![\w.…/])\/(etc|run\/secrets|usr\/local)\//g, `${root}/$1/`],
      [/--registry-username robot/g, `--registry-username ${DOCKER_REGISTRY_USER.username}`],
      [/--registry-password secret/g, `--registry-password ${DOCKER_REGISTRY_USER.password}`],
      [/^(deno task start|otaflux) …/g, `$1 --registry-url ${registry.origin}`],
      [/(\S+@)?sha256:…$/g, `pump@sha256:${"0".repeat(64)}`],
      [/^(oras push .*)…$/g, `$1${localName(registry)}/pump:1.2.3 firmware.bin`],
      [/^(mosquitto_sub) (?=-t)/g, `$1 -p ${broker.port} `],
      [/<url>/g, `'${otaflux.origin}/firmware?device=esp32-garden'`],
      [/<folder>\/<device>:<tag>/g, `${cache}/esp32-garden:v1.1.0`],
      [/<device>|(?<==)X(?=')/g, "esp32-c3"],
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
    const caCerts = isHttps
      ? [await Deno.readTextFile(`${this.folders.root}/etc/otaflux/ca.pem`)]
      : [];
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
    const { calls: folder } = this.#parts.folders;
    const calls: string[][] = [];
    for await (const { name } of Deno.readDir(folder)) {
      calls.push((await Deno.readTextFile(join(folder, name))).split("\0").slice(0, -1));
      await Deno.remove(join(folder, name));
    }
    return calls;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endResidents();
    await this.#parts.all.disposeAsync();
  }

  #start(command: string, isStaying: boolean): Deno.ChildProcess {
    const { folders: { bin, clone, home }, registry, otaflux, denoDir } = this.#parts;
    return new Deno.Command(join(bin, "bash"), {
      args: ["-e", "-u", "-o", "pipefail", "-c", command],
      cwd: clone,
      clearEnv: true,
      env: {
        PATH: bin,
        HOME: home,
        DENO_DIR: denoDir,
        NO_COLOR: "1",
        GIT_DIR: join(REPOSITORY, ".git"),
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
}

/** Who OtaFlux is at the registry. */
function credentialVariables(): Record<string, string> {
  const { username, password } = DOCKER_REGISTRY_USER;
  return { REGISTRY_USERNAME: username, REGISTRY_PASSWORD: password };
}

/** By this name real clients take a registry without TLS. */
function localName({ host }: DockerRegistry): string {
  return host.replace("127.0.0.1", "localhost");
}
