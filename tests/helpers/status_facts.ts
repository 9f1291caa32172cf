/**
 * Facts for the page that shows how things stand, without a service behind them.
 *
 * @module
 */

import type { DeviceFacts, FirmwareFacts, StatusPorts } from "../../src/status/facts.ts";

/** When the facts were read. */
export const NOW = new Date("2026-03-04T05:06:07.000Z");

const [SECOND, MINUTE, HOUR] = [1000, 60_000, 3_600_000];

/** A device to which nothing happens. */
export function healthyDevice(device: string, options: Partial<DeviceFacts> = {}): DeviceFacts {
  return {
    device,
    firmware: {
      version: "1.4.2",
      digest: `sha256:${"0123456789abcdef".repeat(4)}`,
      size: 1_314_159,
    },
    servedForMs: 26 * HOUR,
    confirmedAgoMs: 12 * SECOND,
    failure: undefined,
    ...options,
  };
}

/** A device whose last check failed. */
export function failingDevice(
  device: string,
  { code, reason }: Pick<NonNullable<DeviceFacts["failure"]>, "code" | "reason">,
  options: Partial<DeviceFacts> = {},
): DeviceFacts {
  return healthyDevice(device, {
    confirmedAgoMs: 3 * HOUR,
    failure: { code, reason, agoMs: 2 * MINUTE, retryInMs: 20 * SECOND },
    ...options,
  });
}

/** A device that has no firmware because its first check failed. */
export function unservedDevice(...args: Parameters<typeof failingDevice>): DeviceFacts {
  const [device, failure, options] = args;
  return failingDevice(device, failure, {
    firmware: undefined,
    servedForMs: undefined,
    confirmedAgoMs: undefined,
    ...options,
  });
}

/** All ports at once; a service of three devices to which nothing happens unless said otherwise. */
export function fakePorts(
  { firmware = {}, ...ports }: Partial<Omit<StatusPorts, "firmware">> & {
    readonly firmware?: Partial<FirmwareFacts>;
  } = {},
): StatusPorts {
  return {
    service: {
      version: "1.0.0",
      commit: "0123456789ab",
      startedAt: new Date(NOW.getTime() - 50 * HOUR),
    },
    source: { kind: "registry", name: "https://registry.example.com" },
    firmware: () => ({
      silence: undefined,
      places: { taken: 3, limit: 100 },
      tracked: 3,
      fetchedAgain: { count: 0, lastAgoMs: undefined },
      devices: ["esp32-garden", "esp32-kitchen", "stm32/pump"].map((id) => healthyDevice(id)),
      ...firmware,
    }),
    cache: () => ({ kind: "folder", bytes: 12_582_912, maxBytes: 1024 ** 3 }),
    downloads: () => ({ underWay: 2, limit: 200 }),
    now: () => NOW,
    ...ports,
  };
}
