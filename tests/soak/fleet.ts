/**
 * A thousand devices, each at its own pace.
 *
 * @module
 */

import type { Chance } from "./chance.ts";
import { Device, type World } from "./device.ts";
import { drawHabits } from "./habits.ts";
import { sleep } from "./sleep.ts";

/** Options of {@linkcode Fleet}. */
export interface FleetOptions {
  /** Whose firmware they ask for: each id has as many devices as any other, more or less. */
  readonly ids: readonly string[];
  /** How many devices there are. */
  readonly size: number;
  /** How long a device waits between two polls, in milliseconds; half of it more or less. */
  readonly pollMs: number;
  /** How slow slow devices are. */
  readonly slowestBytesPerSecond: number;
  readonly chance: Chance;
  readonly world: World;
}

/** All devices. */
export class Fleet {
  readonly #members: readonly { readonly device: Device; readonly chance: Chance }[];
  readonly #pollMs: number;
  #shift: { readonly end: AbortController; readonly over: Promise<unknown> } | undefined;

  constructor({ ids, size, pollMs, slowestBytesPerSecond, chance, world }: FleetOptions) {
    this.#pollMs = pollMs;
    this.#members = Array.from({ length: size }, (_, number) => {
      const own = chance.fork(`${number}`);
      const id = ids[number % ids.length] ?? "";
      const isAlone = number + ids.length >= size && number < ids.length;
      const address = `10.0.${number >> 8}.${number & 255}`;
      const habits = drawHabits(own, { isAlone, pollMs, slowestBytesPerSecond });
      return { chance: own, device: new Device({ id, address, habits, chance: own, world }) };
    });
  }

  /** Lets all of them poll, until they are told to rest. */
  start(): void {
    const end = new AbortController();
    const over = Promise.all(this.#members.map(async ({ device, chance }) => {
      // The first time at any moment, so that they do not come in step.
      await sleep(chance.between(0, this.#pollMs), end.signal);
      while (!end.signal.aborted) {
        await device.poll();
        await sleep(this.#pollMs * chance.between(0.5, 1.5), end.signal);
      }
      device.disconnect();
    }));
    this.#shift = { end, over };
  }

  /** Waits until all have ended what they do, and are disconnected. */
  async rest(): Promise<void> {
    this.#shift?.end.abort();
    await this.#shift?.over;
    this.#shift = undefined;
  }
}
