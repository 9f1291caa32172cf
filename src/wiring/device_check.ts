/**
 * `otaflux check`, put together: the service's own way to a firmware, with nothing behind it that
 * would keep what is found.
 *
 * @module
 */

import type { Place } from "../commands/advice.ts";
import { check } from "../commands/check.ts";
import type { CheckConfig } from "../config/config.ts";
import { FirmwareLookup } from "../firmware/lookup.ts";
import { keepOnly } from "../permissions.ts";
import { NoStore } from "../store/none.ts";
import { createSource, createVerifier, sourceName } from "./source.ts";

/**
 * Goes the way once, and prints what is found.
 *
 * @param config To which device.
 * @param version As whom the registry is asked.
 * @returns Whether the device is served.
 * @throws {CannotStart} The policy cannot be used.
 */
export async function checkDevice(config: CheckConfig, version: string): Promise<boolean> {
  const { device, maxFirmwareBytes, selection } = config;
  const source = createSource(config, { version });
  const verifier = await createVerifier(config, source);
  keepOnly({ read: config.source.kind === "layout", write: false });
  const store = new NoStore();
  return await check({
    device,
    source,
    place: placeOf(config),
    wantsSignature: verifier !== undefined,
    find: (watched) =>
      new FirmwareLookup({ ...watched, store, verifier, maxFirmwareBytes, onAnswer: () => {} })
        .newest({ device, selection }, undefined),
    write: print,
    isTerminal: Deno.stdout.isTerminal(),
  });
}

/** Whoever has read enough, as `head` does and `grep -q`, changes nothing about how it ends. */
function print(text: string): void {
  try {
    Deno.stdout.writeSync(new TextEncoder().encode(text));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

function placeOf({ device, source, repositoryPrefix }: CheckConfig): Place {
  const repository = repositoryPrefix === "" ? device : `${repositoryPrefix}/${device}`;
  const hasCredentials = source.kind === "registry" && source.credentials !== undefined;
  return { kind: source.kind, name: sourceName(source), repository, hasCredentials };
}
