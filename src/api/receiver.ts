/**
 * What happens to a webhook, whichever registry sends it: proof, body, meaning, acceptance. It is
 * answered once it is accepted; nothing is fetched before.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Context } from "hono";
import { logger } from "../log.ts";
import { deviceOf } from "../repository.ts";
import { answer, failure } from "./answers.ts";
import { type BodyFault, readBody } from "./body.ts";
import { isSigned, mayBeRead } from "./proof.ts";
import { REGISTRIES, type Registries } from "./registries.ts";
import { type Delivery, type Reading, Refusal, type Webhook } from "./webhook.ts";

const log = logger("api");

/** The largest event seen is Harbor's with a scan's report, of some 10 KB; 1 MiB is far beyond. */
const BODY_LIMITS = { maxBytes: 1024 ** 2, maxMs: 10_000 };

/** How much of a registry's words goes to the log. */
const WORDS_LENGTH = 100;

/** What became of a delivery; the closed set of a metric's label. */
export type WebhookResult =
  /** Devices will be checked. */
  | "accepted"
  /** It was accepted before. */
  | "repeated"
  /** It is of no use to us. */
  | "ignored"
  /** It is none of this registry's. */
  | "refused"
  /** Its sender does not know the secret. */
  | "unauthorized"
  /** It could not be kept. */
  | "failed";

/** What a registry has told, as it is to be carried out. */
export interface AcceptedEvent {
  /** The same for a repetition of the same event; undefined where repetitions cannot be told. */
  readonly id: string | undefined;
  /** Devices whose repositories have changed, each once. */
  readonly devices: readonly string[];
}

/** Takes events. */
export interface EventSink {
  /**
   * Takes an event over, durably where that is configured. Throws a ServiceError where it cannot.
   */
  accept(event: AcceptedEvent): Promise<"accepted" | "repeated">;
}

/** What webhooks work with. */
export interface WebhookOptions {
  /** What a sender has to know; without one everybody may send. */
  readonly secret: string | undefined;
  /** What precedes a device id in a repository's name, without the slash at the end. */
  readonly repositoryPrefix: string;
  /** Where events go. */
  readonly events: EventSink;
  /** Told of what became of each delivery, for metrics. */
  readonly observer: { webhook(source: string, result: WebhookResult): void };
  /** Which registries are understood. @default all */
  readonly registries?: Registries;
}

/** Answers a webhook. */
export type WebhookHandler = (c: Context) => Promise<Response>;

/**
 * The routes of all webhooks.
 *
 * @param options What they work with.
 * @returns What answers POST, by path.
 */
export function webhookRoutes(
  options: WebhookOptions,
): Readonly<Record<string, { readonly POST: WebhookHandler }>> {
  const { registries = REGISTRIES } = options;
  const routes = Object.entries(registries).flatMap(([source, webhook]) => {
    const handler: WebhookHandler = (c) => receive(c, { source, webhook, options });
    const path = `/webhooks/${source}`;
    const paths = webhook.proof.by === "path" ? [path, `${path}/:secret`] : [path];
    return paths.map((path) => [path, { POST: handler }] as const);
  });
  return Object.fromEntries(routes);
}

interface Outcome {
  readonly result: WebhookResult;
  readonly status: number;
  readonly body: string;
}

interface Reception {
  readonly source: string;
  readonly webhook: Webhook;
  readonly options: WebhookOptions;
}

async function receive(c: Context, reception: Reception): Promise<Response> {
  const { source, options: { observer } } = reception;
  try {
    const { result, ...reply } = await outcomeOf(c, reception);
    observer.webhook(source, result);
    if (reply.status < 400) return answer(c, reply);
    log.warn("Webhook is refused", { source, status: reply.status, reason: reply.body });
    const headers = { "www-authenticate": "Bearer" };
    return failure(c, { ...reply, ...(reply.status === 401 && { headers }) });
  } catch (error) {
    observer.webhook(source, "failed");
    throw error;
  }
}

const UNAUTHORIZED: Outcome = {
  result: "unauthorized",
  status: 401,
  body: "Secret of the webhook is missing or wrong",
};

const FAULTS: Readonly<Record<BodyFault, Outcome>> = {
  "endless": {
    result: "refused",
    status: 411,
    body: "Body does not say how long it is: want a Content-Length",
  },
  "too-large": { result: "refused", status: 413, body: "Body is larger than 1 MiB" },
  "too-slow": { result: "refused", status: 408, body: "Body did not come within 10 s" },
  "cut": { result: "refused", status: 400, body: "Body was cut off" },
};

async function outcomeOf(c: Context, reception: Reception): Promise<Outcome> {
  const { webhook: { proof }, options: { secret } } = reception;
  const { raw } = c.req;
  const { headers } = raw;
  const evidence = { headers, pathSecret: c.req.param("secret") };
  if (secret !== undefined && !mayBeRead(proof, secret, evidence)) return UNAUTHORIZED;
  const body = await readBody(raw, BODY_LIMITS);
  if (typeof body === "string") return lenient(FAULTS[body], reception);
  if (secret !== undefined && !isSigned(proof, secret, { headers, body })) return UNAUTHORIZED;
  // Older Harbors send this to test an address.
  if (body.length === 0) return ignored("nothing", reception);
  try {
    return await take({ headers, body }, reception);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return lenient({ result: "refused", status: 400, body: error.message }, reception);
  }
}

async function take(delivery: Delivery, reception: Reception): Promise<Outcome> {
  const { source, webhook, options: { repositoryPrefix, events } } = reception;
  const reading = webhook.read(delivery);
  const devices = devicesIn(reading, repositoryPrefix);
  if (devices.length === 0) return ignored(reading.what, reception, reading.isRoutine);
  const result = await events.accept({ id: idOf(delivery, reception), devices });
  const [first] = reading.events;
  log.info("Webhook is accepted", {
    ...{ source, what: shortened(reading.what), result, device: devices[0] },
    ...(devices.length > 1 && { devices: devices.length }),
    reference: shortened(first?.reference ?? ""),
  });
  return { result, status: 200, body: result === "accepted" ? "Accepted" : "Accepted before" };
}

function devicesIn({ events }: Reading, prefix: string): readonly string[] {
  const devices = new Set<string>();
  for (const { repository } of events) {
    const device = deviceOf(repository, prefix);
    if (device !== undefined) devices.add(device);
  }
  return [...devices];
}

function idOf(delivery: Delivery, { source, webhook }: Reception): string | undefined {
  const identity = webhook.identify(delivery);
  if (identity === undefined) return undefined;
  const hash = createHash("sha256").update(JSON.stringify([source, identity]));
  return hash.update(delivery.body).digest("hex");
}

function ignored(what: string, { source }: Reception, isRoutine = false): Outcome {
  log[isRoutine ? "debug" : "info"]("Webhook is of no use", { source, what: shortened(what) });
  return { result: "ignored", status: 200, body: "Nothing to do" };
}

/** Whoever would never stop to send it again is told that all is well; the log knows better. */
function lenient(outcome: Outcome, { source, webhook }: Reception): Outcome {
  if (!webhook.isNeverRefused) return outcome;
  log.warn("Webhook is not understood", { source, reason: outcome.body });
  return { ...outcome, status: 200 };
}

function shortened(words: string): string {
  return words.slice(0, WORDS_LENGTH);
}
