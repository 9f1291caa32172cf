/**
 * A connection as long as it holds, within what the broker says that it does.
 *
 * @see https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html#_Toc3901080
 * @module
 */

import { Buffer } from "node:buffer";
import type { ConnackProperties, Done, MqttClient } from "./mqtt_client.d.ts";

/** mosquitto takes 20 at once where it does not say otherwise, MQTT 3.1.1 has no way to say it. */
const IN_FLIGHT = 10;

/**
 * What a PUBLISH has besides topic and payload, in bytes (3.3): at most 5 of the fixed header, 2 of
 * the topic's length, 2 of the identifier, 1 of no properties.
 */
const PUBLISH_OVERHEAD_BYTES = 10;

/** A connection as long as it holds. */
export interface BrokerSession {
  /** How many messages may be unconfirmed at once. */
  readonly inFlight: number;
  /** Publishes a retained message; settles with the broker's confirmation. */
  publish(topic: string, payload: string): Promise<void>;
  /** Subscribes; settles with the broker's confirmation. */
  subscribe(filter: string): Promise<void>;
}

/**
 * Tells what the broker does not do, and we cannot do without.
 *
 * @param properties What the broker says of itself; one of MQTT 3.1.1 says nothing.
 * @returns What is lacking, in the words of the reason codes; undefined where nothing is.
 */
export function lackOf(
  { retainAvailable = true, maximumQoS = 1 }: ConnackProperties,
): string | undefined {
  // Whoever publishes such a message all the same is thrown out (3.2.2.3.4, 3.2.2.3.5).
  if (!retainAvailable) return "Retain not supported";
  return maximumQoS < 1 ? "QoS not supported" : undefined;
}

/**
 * Makes the connection usable. What is under way when it ends fails with it: the client is ended by
 * force then.
 *
 * @param client The client, which is connected.
 * @param properties What the broker says of itself.
 * @returns The connection.
 */
export function sessionOf(
  client: MqttClient,
  { receiveMaximum = IN_FLIGHT, maximumPacketSize = Infinity, ...properties }: ConnackProperties,
): BrokerSession {
  const settled = (start: (done: Done) => void): Promise<void> =>
    new Promise((resolve, reject) => start((error) => error ? reject(error) : resolve()));
  return {
    inFlight: Math.min(IN_FLIGHT, receiveMaximum),
    publish: async (topic, payload) => {
      const length = Buffer.byteLength(topic) + Buffer.byteLength(payload);
      // The broker would end the connection (3.2.2.3.6), again and again.
      if (length + PUBLISH_OVERHEAD_BYTES > maximumPacketSize) {
        throw new Error(`Packet too large for the broker, which takes ${maximumPacketSize} bytes`);
      }
      await settled((done) => client.publish(topic, payload, { qos: 1, retain: true }, done));
    },
    subscribe: async (filter) => {
      // The broker would end the connection (3.2.2.3.11).
      if (properties.wildcardSubscriptionAvailable === false) {
        throw new Error("Wildcard Subscriptions not supported");
      }
      // QoS 0: within a connection nothing is lost, and brokers queue only so much of QoS 1.
      await settled((done) => client.subscribe(filter, { qos: 0 }, done));
    },
  };
}
