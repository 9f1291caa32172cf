/**
 * Arduino's `HTTPUpdate` for ESP32 and ESP8266, which describes itself in headers of its own.
 *
 * @see https://github.com/espressif/arduino-esp32/blob/master/libraries/HTTPUpdate/src/HTTPUpdate.cpp
 * @see https://github.com/esp8266/Arduino/blob/master/libraries/ESP8266httpUpdate/src/ESP8266httpUpdate.cpp
 * @module
 */

import type { Context } from "hono";
import type { Firmware } from "../../firmware/firmware.ts";
import { answer, failure } from "../answers.ts";
import { type Dialect, upToDate } from "./dialect.ts";

/** Decides by headers, and is told by 304 and by few other statuses. */
export const ARDUINO: Dialect = {
  runningVersion: (c) => said(c, "version"),
  reply,
  headers: (c, { md5 }): Record<string, string> => isArduino(c) ? { "x-md5": md5 } : {},
};

function reply(c: Context, firmware: Firmware): Response | undefined {
  const mode = said(c, "mode");
  switch (mode) {
    // Not this kind of client, or a very old one.
    case undefined:
      return undefined;
    case "version":
      return answer(c, {
        status: 200,
        body: firmware.version,
        headers: { "x-version": firmware.version, "x-md5": firmware.md5 },
      });
    case "sketch":
      return replyToSketch(c, firmware);
    default:
      // The program, written where files are kept, would take all files along.
      return failure(c, {
        status: 404,
        body: `There is no image for the mode '${mode.slice(0, 40)}'`,
      });
  }
}

function replyToSketch(c: Context, firmware: Firmware): Response | undefined {
  const isRunning = said(c, "version") === firmware.version ||
    said(c, "sketch-md5")?.toLowerCase() === firmware.md5;
  if (isRunning) return upToDate(c, firmware);
  // It would begin to download, and find out by the length. Anything but 200 and 304 is a failure
  // to it, whose status it logs.
  const free = said(c, "free-space");
  if (free !== undefined && /^\d+$/.test(free) && firmware.size > Number(free)) {
    return failure(c, {
      status: 413,
      body: `Firmware has ${firmware.size} bytes, the device has room for ${free.slice(0, 20)}`,
    });
  }
}

function isArduino(c: Context): boolean {
  return said(c, "mode") !== undefined;
}

/** What it says of itself; the processor is in the header's name. */
function said(c: Context, name: string): string | undefined {
  return c.req.header(`x-esp32-${name}`) ?? c.req.header(`x-esp8266-${name}`);
}
