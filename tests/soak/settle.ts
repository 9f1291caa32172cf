/**
 * Once nobody disturbs any more: is every device served what the registry has, and does the broker
 * hold the message of it?
 *
 * @module
 */

import type { DockerRegistry } from "../helpers/docker_registry.ts";
import type { Mosquitto, Received } from "../helpers/mosquitto.ts";
import type { Catalogue, Offer } from "./catalogue.ts";
import type { Findings } from "./findings.ts";
import { repositoryOf } from "./publisher.ts";
import { newestOf } from "./registry_state.ts";
import type { Service } from "./service.ts";

/** What precedes a device id in its topic. */
export const TOPIC = "ota";

/** Options of {@linkcode settle}. */
export interface SettleOptions {
  readonly ids: readonly string[];
  readonly registry: DockerRegistry;
  readonly broker: Mosquitto;
  readonly service: Service;
  readonly catalogue: Catalogue;
  readonly findings: Findings;
  /** How long the service may take, in milliseconds: its longest pause, and what comes after it. */
  readonly patienceMs: number;
}

/** Between two looks, in milliseconds. */
const LOOK_MS = 250;

/** An address that no device has: what we are told is not what a device was told. */
const OUR_ADDRESS = { "x-forwarded-for": "192.0.2.1" };

/**
 * Waits until all ids are served what the registry says is their newest, and until the broker says
 * so, too. What does not come in time is a breach.
 */
export async function settle(options: SettleOptions): Promise<void> {
  const { ids, registry, broker, catalogue, findings, patienceMs } = options;
  const wanted = new Map<string, Offer>();
  for (const id of ids) {
    const newest = await newestOf(registry.target(repositoryOf(id)));
    const offer = newest && catalogue.find(id, newest);
    if (offer === undefined) throw new Error(`Registry has an unknown firmware for ${id}`);
    wanted.set(id, offer);
  }
  const endsMs = performance.now() + patienceMs;
  const unserved = await whatStays(wanted, endsMs, (id) => askService(id, options.service));
  for (const what of unserved) findings.breach("acknowledged event not carried out", what);
  await using subscriber = await broker.subscribe(`${TOPIC}/#`);
  const untold = await whatStays(wanted, endsMs, (id) => {
    const told = subscriber.messages.findLast(({ topic }) => topic === `${TOPIC}/${id}`);
    return Promise.resolve(told?.payload ?? "nothing");
  });
  for (const what of untold) findings.breach("wrong message", `retained: ${what}`);
}

/** Judges messages as they came: each has to be of a firmware that was offered. */
export function judgeMessages(
  messages: readonly Received[],
  { catalogue, findings }: Pick<SettleOptions, "catalogue" | "findings">,
): void {
  for (const { topic, payload } of messages) {
    const id = topic.slice(TOPIC.length + 1);
    if (id.startsWith("$")) continue;
    findings.count("messages");
    const { version, size, crc32, sha256, digest } = JSON.parse(payload);
    if (!catalogue.has(id, { version, size, crc32, sha256, digest })) {
      findings.breach("wrong message", `${id} is told ${payload}, which was never offered`);
    }
  }
}

/** Looks until all see what is wanted, or until it is too late; tells what is wrong still. */
async function whatStays(
  wanted: ReadonlyMap<string, Offer>,
  endsMs: number,
  look: (id: string) => Promise<string>,
): Promise<readonly string[]> {
  const left = new Map(wanted);
  for (;;) {
    const wrong = [];
    for (const [id, offer] of left) {
      const seen = await look(id);
      if (isOf(offer, seen)) left.delete(id);
      else wrong.push(`${id} has ${seen}, wanted is ${JSON.stringify(offer)}`);
    }
    if (wrong.length === 0 || performance.now() > endsMs) return wrong;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

async function askService(id: string, { origin }: Service): Promise<string> {
  const response = await fetch(`${origin}/version.json?device=${id}`, { headers: OUR_ADDRESS });
  return await response.text();
}

/** Whether a text is an object that says all that was offered, and of no other firmware. */
function isOf(offer: Offer, text: string): boolean {
  if (!text.startsWith("{")) return false;
  const said = JSON.parse(text);
  return Object.entries(offer).every(([member, value]) => said[member] === value);
}
