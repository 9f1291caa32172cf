/**
 * A real browser without a window: Debian's Chromium.
 *
 * @module
 */

import { type Browser, chromium } from "playwright-core";
import { type DebianTool, debianTool, type Unavailable } from "./debian.ts";

/** The browser's program, or why it cannot be had here. */
export async function chromiumTool(): Promise<DebianTool | Unavailable> {
  // Not the script in /usr/bin: it looks for the program where Debian would have installed it.
  return await debianTool("chromium", { binary: "../lib/chromium/chromium" });
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
