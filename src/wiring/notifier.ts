/**
 * Who tells devices of firmware.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { describeError } from "../errors.ts";
import { MqttBroker } from "../notifier/broker.ts";
import { MqttNotifier, type MqttNotifierOptions } from "../notifier/notifier.ts";
import { Topics } from "../notifier/topics.ts";
import { passwordReader } from "../password_file.ts";
import { CannotStart } from "./cannot_start.ts";
import { ownFolder } from "./storage.ts";

/**
 * Begins to connect to the broker, where there is one. It is not waited for.
 *
 * @param config Which, and what devices are told.
 * @param parts Who is told of what happens, and who confirms firmware.
 * @returns The notifier, if any.
 * @throws {CannotStart} The folder cannot be used in which notifications wait.
 */
export async function createNotifier(
  { mqtt, cacheDirectory }: Config,
  parts: Pick<MqttNotifierOptions, "observer" | "refresh">,
): Promise<MqttNotifier | undefined> {
  if (mqtt === undefined) return undefined;
  const { topic, publicUrl, homeAssistantPrefix, clientId, passwordFile, ...broker } = mqtt;
  try {
    return await MqttNotifier.start({
      ...parts,
      ...{ topic, publicUrl, homeAssistantPrefix },
      broker: new MqttBroker({
        ...broker,
        readPassword: passwordReader(passwordFile, broker.credentials),
        // Replicas must differ: of two with the same name the broker keeps one.
        clientId: clientId ?? `otaflux-${crypto.randomUUID().slice(0, 8)}`,
        willTopic: new Topics(topic).state,
      }),
      directory: ownFolder(cacheDirectory, "notifications"),
    });
  } catch (error) {
    throw new CannotStart(`${describeError(error)}; see --cache-dir`);
  }
}
