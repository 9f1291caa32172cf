/**
 * All who take part: Debian's `docker-registry` and `mosquitto`, the service, and the disk.
 *
 * @module
 */

import { type DebianTool, debianTool, type Unavailable } from "../helpers/debian.ts";
import { DOCKER_REGISTRY_USER, DockerRegistry } from "../helpers/docker_registry.ts";
import { freePort } from "../helpers/free_port.ts";
import {
  Mosquitto,
  type MosquittoTools,
  mosquittoTools,
  type Received,
  type Subscriber,
} from "../helpers/mosquitto.ts";
import type { Catalogue } from "./catalogue.ts";
import { Disk } from "./disk.ts";
import type { Findings } from "./findings.ts";
import { LogJudge } from "./log_lines.ts";
import { hearsRegistry, REPOSITORY_PREFIX } from "./publisher.ts";
import { EventRelay } from "./relay.ts";
import { Service } from "./service.ts";
import { TOPIC } from "./settle.ts";

/** The programs that a soak needs. */
export interface SoakTools {
  readonly registry: DebianTool;
  readonly broker: MosquittoTools;
}

/** The programs, or why they cannot be had. */
export async function soakTools(): Promise<SoakTools | Unavailable> {
  const registry = await debianTool("docker-registry");
  const broker = await mosquittoTools();
  if ("skip" in registry) return registry;
  if ("skip" in broker) return broker;
  return { registry, broker };
}

/** How many requests the registry gets at once. */
export const REGISTRY_CONCURRENCY = 8;

const BROKER_USER = { username: "gateway", password: "soaked-to-the-skin" };
const WEBHOOK_SECRET = "rain-rain-go-away";

/**
 * So that the service meets its limits: more replaced firmware than room for it, more downloads than
 * it serves at once, and a registry that is paused for longer than is waited for it.
 */
const LIMITS = [
  ...["--cache-max-bytes", "112MiB", "--max-downloads", "10"],
  ...["--registry-concurrency", `${REGISTRY_CONCURRENCY}`, "--registry-timeout", "5s"],
];

/** Those who take part. The service is not started yet. */
export class Stage implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly #subscriber: Subscriber;
  readonly registry: DockerRegistry;
  readonly broker: Mosquitto;
  readonly service: Service;
  readonly relay: EventRelay;
  readonly disk: Disk;
  /** What webhooks have to know. */
  readonly webhookSecret = WEBHOOK_SECRET;

  private constructor(
    stack: AsyncDisposableStack,
    { subscriber, registry, broker, service, relay, disk }:
      & Pick<Stage, "registry" | "broker" | "service" | "relay" | "disk">
      & { readonly subscriber: Subscriber },
  ) {
    this.#stack = stack;
    this.#subscriber = subscriber;
    this.registry = registry;
    this.broker = broker;
    this.service = service;
    this.relay = relay;
    this.disk = disk;
  }

  /**
   * Brings them together.
   *
   * @param settings.cacheSize How many ids the service keeps in memory.
   * @param settings.logPath Where its log is kept.
   */
  static async set(
    { registry: docker, broker: mosquitto }: SoakTools,
    { findings, catalogue, cacheSize, logPath }: {
      readonly findings: Findings;
      readonly catalogue: Catalogue;
      readonly cacheSize: number;
      readonly logPath?: string | undefined;
    },
  ): Promise<Stage> {
    await using stack = new AsyncDisposableStack();
    const disk = stack.use(await Disk.make());
    const secretFile = await Deno.makeTempFile({ prefix: "otaflux-soak-" });
    stack.defer(() => Deno.remove(secretFile));
    await Deno.writeTextFile(secretFile, WEBHOOK_SECRET);
    const broker = stack.use(await Mosquitto.start(mosquitto, { user: BROKER_USER }));
    const subscriber = stack.use(await broker.subscribe(`${TOPIC}/#`));
    const port = freePort();
    const relay = stack.use(
      new EventRelay({
        target: `http://127.0.0.1:${port}/webhooks/distribution`,
        hears: (repository) => hearsRegistry(repository),
        findings,
      }),
    );
    const registry = stack.use(
      await DockerRegistry.start(docker, {
        notifications: [{
          ...{ name: "otaflux", url: relay.url, timeout: "3s", threshold: 1, backoff: "500ms" },
          headers: { Authorization: [`Bearer ${WEBHOOK_SECRET}`] },
          ignore: { mediatypes: ["application/octet-stream"], actions: ["pull"] },
        }],
      }),
    );
    const secrets = [DOCKER_REGISTRY_USER.password, BROKER_USER.password, WEBHOOK_SECRET];
    const service = stack.use(
      new Service({
        port,
        findings,
        log: new LogJudge({ findings, catalogue, secrets, path: logPath }),
        otaflux: {
          args: [
            ...["--registry-url", registry.origin, "--repository-prefix", REPOSITORY_PREFIX],
            ...["--registry-username", DOCKER_REGISTRY_USER.username, "--cache-dir", disk.folder],
            ...["--mqtt-url", broker.url, "--mqtt-topic", TOPIC],
            ...["--mqtt-username", BROKER_USER.username, "--webhook-secret-file", secretFile],
            ...["--log-level", "info", "--cache-size", `${cacheSize}`, ...LIMITS],
          ],
          env: {
            REGISTRY_PASSWORD: DOCKER_REGISTRY_USER.password,
            MQTT_PASSWORD: BROKER_USER.password,
          },
        },
      }),
    );
    const parts = { subscriber, registry, broker, service, relay, disk };
    return new Stage(stack.move(), parts);
  }

  /** All messages that the broker has delivered so far. */
  get messages(): readonly Received[] {
    return this.#subscriber.messages;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
