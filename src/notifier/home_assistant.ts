/**
 * How Home Assistant is told of devices: an `update` entity for each.
 *
 * @see https://www.home-assistant.io/integrations/update.mqtt/
 * @module
 */

import { LRUCache } from "lru-cache";
import { InstalledVersions } from "./installed.ts";
import { OFFLINE, ONLINE } from "./presence.ts";
import type { BrokerSession } from "./session.ts";
import type { Topics } from "./topics.ts";

/** So many devices are remembered to have been told of; beyond it some are told of again. */
const KNOWN_DEVICES = 10_000;

/** Options of {@linkcode HomeAssistant}. */
export interface HomeAssistantOptions {
  /** What it listens below. */
  readonly prefix: string;
  /** Where it finds versions. */
  readonly topics: Topics;
  /** A steady clock in milliseconds. */
  readonly now: () => number;
}

/** Tells Home Assistant once of each device, and which version it runs. */
export class HomeAssistant {
  readonly #options: HomeAssistantOptions;
  readonly #installed: InstalledVersions;
  /** The devices that it was told of, and whether it looks for what they run. */
  readonly #told = new LRUCache<string, { readonly knowsInstalled: boolean }>({
    max: KNOWN_DEVICES,
  });

  /**
   * Has told of nothing yet.
   *
   * @param options Where.
   */
  constructor(options: HomeAssistantOptions) {
    this.#options = options;
    this.#installed = new InstalledVersions(options.now);
  }

  /**
   * Tells whether it knows of a device.
   *
   * @param device A device id.
   * @returns Whether it was told.
   */
  knows(device: string): boolean {
    return this.#told.has(device);
  }

  /**
   * Notes which version a device says that it runs.
   *
   * @param device A device id.
   * @param running What it says: any text.
   * @returns Whether that is to be told.
   */
  note(device: string, running: string): boolean {
    return this.#installed.note(device, running);
  }

  /**
   * Makes a device's entity.
   *
   * @param session The connection.
   * @param device A device id.
   * @throws {Error} The broker refuses it, or the connection is lost.
   */
  async introduce(session: BrokerSession, device: string): Promise<void> {
    const installed = this.#installed.take(device);
    const knowsInstalled = installed !== undefined;
    const { topic, payload } = discoveryOf(device, { ...this.#options, knowsInstalled });
    await session.publish(topic, payload);
    this.#told.set(device, { knowsInstalled });
    await this.#publish(session, device, installed);
  }

  /**
   * Tells which version a device runs.
   *
   * @param session The connection.
   * @param device A device id.
   * @throws {Error} The broker refuses it, or the connection is lost.
   */
  async tellInstalled(session: BrokerSession, device: string): Promise<void> {
    if (this.#told.get(device)?.knowsInstalled !== true) {
      return await this.introduce(session, device);
    }
    await this.#publish(session, device, this.#installed.take(device));
  }

  async #publish(session: BrokerSession, device: string, version?: string): Promise<void> {
    const { topics } = this.#options;
    if (version !== undefined) await session.publish(topics.installedOf(device), version);
  }
}

/**
 * The retained message that makes a device's entity.
 *
 * @param device A device id.
 * @param options Where it is announced, and whether it can be known which version it runs.
 * @returns Topic and payload.
 */
export function discoveryOf(
  device: string,
  { prefix, topics, knowsInstalled }:
    & Pick<HomeAssistantOptions, "prefix" | "topics">
    & { readonly knowsInstalled: boolean },
): { readonly topic: string; readonly payload: string } {
  const id = `otaflux_${objectId(device)}`;
  return {
    topic: `${prefix}/update/${id}/config`,
    payload: JSON.stringify({
      name: "Firmware",
      unique_id: id,
      device_class: "firmware",
      latest_version_topic: topics.of(device),
      latest_version_template: "{{ value_json.version }}",
      ...(knowsInstalled && { state_topic: topics.installedOf(device) }),
      availability_topic: topics.state,
      payload_available: ONLINE,
      payload_not_available: OFFLINE,
      device: { identifiers: [id], name: device },
      origin: { name: "OtaFlux" },
    }),
  };
}

/**
 * Home Assistant takes letters, digits, `_` and `-`. What a device id may hold besides is written as
 * its code, and so is `_` itself, so that no two devices share an entity.
 */
function objectId(device: string): string {
  return device.replaceAll(
    /[^a-z0-9-]/g,
    (character) => `_${character.charCodeAt(0).toString(16)}`,
  );
}
