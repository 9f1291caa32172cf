/**
 * Which devices stand on a page, and what the failing ones have in common: in one pass, whose
 * outcome does not grow with the fleet.
 *
 * @module
 */

import type { DeviceFacts, FailureFacts } from "./facts.ts";

/** So many devices stand on a page: few enough to be read, and to be written in a moment. */
export const PAGE_SIZE = 100;

/** So many devices stand for all that fail in the same way. */
export const EXAMPLES_LIMIT = 3;

/** Which devices are wanted. */
export interface DeviceQuery {
  /** What their ids begin with. */
  readonly prefix: string;
  /** The last id of the page before; empty for the first page. */
  readonly after: string;
  /** Whether only those are wanted whose last check failed. */
  readonly isFailing: boolean;
}

/** Devices that fail in the same way. */
export interface FailingDevices {
  /** How. */
  readonly code: FailureFacts["code"];
  /** How many there are. */
  readonly count: number;
  /** How many of them have no firmware that could be served meanwhile. */
  readonly unserved: number;
  /** The first of them by id. */
  readonly examples: readonly DeviceFacts[];
}

/** What {@linkcode selectDevices} found. */
export interface DeviceSelection {
  /** How many devices are known. */
  readonly total: number;
  /** How many of all fail. */
  readonly failing: number;
  /** How many are wanted, on all pages. */
  readonly matching: number;
  /** Those of this page, by id. */
  readonly page: readonly DeviceFacts[];
  /** Whether others follow on the next page. */
  readonly hasMore: boolean;
  /** All that fail, not only those that are wanted. */
  readonly groups: readonly FailingDevices[];
}

/**
 * Goes through all devices once.
 *
 * @param devices Each known device once, in any order.
 * @param query Which are wanted.
 * @returns One page of them, and what all have to say.
 */
export function selectDevices(
  devices: Iterable<DeviceFacts>,
  { prefix, after, isFailing }: DeviceQuery,
): DeviceSelection {
  const page = new FirstDevices(PAGE_SIZE + 1);
  const groups = new Map<FailureFacts["code"], FailingGroup>();
  let [total, failing, matching] = [0, 0, 0];
  for (const facts of devices) {
    const { device, failure } = facts;
    total++;
    if (failure !== undefined) {
      failing++;
      const group = groups.get(failure.code) ?? new FailingGroup(failure.code);
      groups.set(failure.code, group);
      group.add(facts);
    }
    if (!device.startsWith(prefix) || (isFailing && failure === undefined)) continue;
    matching++;
    if (device > after) page.add(facts);
  }
  const found = page.take();
  return {
    total,
    failing,
    matching,
    page: found.slice(0, PAGE_SIZE),
    hasMore: found.length > PAGE_SIZE,
    groups: [...groups.values()].map((group) => group.take())
      .sort((a, b) => b.count - a.count || (a.code < b.code ? -1 : 1)),
  };
}

/** Keeps the first so many devices by id, out of any number. */
class FirstDevices {
  readonly #limit: number;
  #kept: DeviceFacts[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Sorts once per so many, not each time: a few comparisons per device, however many come. */
  add(facts: DeviceFacts): void {
    this.#kept.push(facts);
    if (this.#kept.length >= 2 * this.#limit) this.#kept = this.take();
  }

  take(): DeviceFacts[] {
    return this.#kept.toSorted((a, b) => a.device < b.device ? -1 : 1).slice(0, this.#limit);
  }
}

class FailingGroup {
  readonly #code: FailureFacts["code"];
  readonly #examples = new FirstDevices(EXAMPLES_LIMIT);
  #count = 0;
  #unserved = 0;

  constructor(code: FailureFacts["code"]) {
    this.#code = code;
  }

  add(facts: DeviceFacts): void {
    this.#count++;
    if (facts.firmware === undefined) this.#unserved++;
    this.#examples.add(facts);
  }

  take(): FailingDevices {
    return {
      code: this.#code,
      count: this.#count,
      unserved: this.#unserved,
      examples: this.#examples.take(),
    };
  }
}
