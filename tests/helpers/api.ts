/**
 * The API on a manager that has one firmware.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Hono } from "hono";
import { Announcements } from "../../src/api/announcements.ts";
import { Downloads } from "../../src/api/downloads.ts";
import { createRouter, type RouterOptions } from "../../src/api/router.ts";
import type { Firmware } from "../../src/firmware/firmware.ts";
import { MemoryReader } from "../../src/store/memory.ts";
import { md5Of, sha256Of } from "./disk.ts";
import { crc32Reference } from "./firmware_bytes.ts";

/** When the firmware was modified, unless a test says otherwise. */
export const MODIFIED = new Date("2026-01-02T03:04:05Z");

/** Describes bytes as the manager would. */
export function firmwareOf(
  bytes: Uint8Array<ArrayBuffer>,
  options: Partial<Firmware> = {},
): Firmware {
  const version = options.version ?? "1.2.3";
  const digest = `sha256:${createHash("sha256").update(version).digest("hex")}` as const;
  return {
    ...{ tag: `v${version}`, version, digest, size: bytes.length },
    ...{ crc32: crc32Reference(bytes), sha256: sha256Of(bytes), md5: md5Of(bytes) },
    ...{ modifiedAt: MODIFIED, annotations: {}, files: [] },
    ...options,
  };
}

/** Makes the API of a service whose every device has the same firmware. */
export function apiOf(
  bytes: Uint8Array<ArrayBuffer>,
  firmware: Firmware = firmwareOf(bytes),
  options: Partial<RouterOptions> = {},
): Hono {
  return createRouter({
    manager: {
      get: () => Promise.resolve(firmware),
      getAnnounced: () => Promise.resolve(firmware),
      open: () => Promise.resolve(new MemoryReader(bytes)),
      ageSeconds: () => undefined,
      isReady: () => true,
    },
    downloads: new Downloads({ idleMs: 60_000 }),
    announcements: new Announcements({ holdMs: 60_000 }),
    observe: (_c, next) => next(),
    ...options,
  });
}
