/**
 * A real browser without a window: Debian's Chromium.
 *
 * @module
 */

import { type Browser, chromium } from "playwright-core";
import { type DebianTool, debianTool, type Unavailable } from "./debian.ts";

/** The program in Debian's package: the script in /usr/bin looks for it where it is installed. */
export const CHROMIUM_PROGRAM = "../lib/chromium/chromium";

/** The browser's program, or why it cannot be had here. */
export async function chromiumTool(): Promise<DebianTool | Unavailable> {
  return await debianTool("chromium", { binary: CHROMIUM_PROGRAM });
}

/** Starts the browser; closing it ends its processes. */
export async function launchChromium({ path, env }: DebianTool): Promise<Browser> {
  return await chromium.launch({
    executablePath: path,
    // Its own sandbox wants what a container, or root, may not do; it sees our own page only.
    chromiumSandbox: false,
    args: ["--disable-dev-shm-usage"],
    env: { ...Deno.env.toObject(), ...env },
  });
}
