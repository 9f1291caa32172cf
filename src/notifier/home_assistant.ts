/**
 * How Home Assistant is told of devices: an `update` entity for each.
 *
 * @see https://www.home-assistant.io/integrations/update.mqtt/
 * @module
 */

import { OFFLINE, ONLINE } from "./presence.ts";
import type { Topics } from "./topics.ts";

/** Options of {@linkcode discoveryOf}. */
export interface DiscoveryOptions {
  /** What Home Assistant listens below. */
  readonly prefix: string;
  /** Where it finds versions. */
  readonly topics: Topics;
  /** Whether it can be known which version a device runs. */
  readonly knowsInstalled: boolean;
}

/**
 * The retained message that makes a device's entity.
 *
 * @param device A device id.
 * @param options Where it is announced, and what is known.
 * @returns Topic and payload.
 */
export function discoveryOf(
  device: string,
  { prefix, topics, knowsInstalled }: DiscoveryOptions,
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
