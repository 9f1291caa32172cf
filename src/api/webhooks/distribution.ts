/**
 * Notifications of the CNCF Distribution registry (`docker-registry`), which GitLab sends, too, and,
 * one event at a time without an envelope, Azure's registry.
 *
 * @see https://distribution.github.io/distribution/about/notifications/
 * @see https://learn.microsoft.com/en-us/azure/container-registry/container-registry-webhook-reference
 * @module
 */

import * as v from "valibot";
import { readJson, type RegistryEvent, type Webhook } from "../webhook.ts";

const eventSchema = v.object({
  action: v.string(),
  target: v.nullish(v.object({
    mediaType: v.nullish(v.string()),
    repository: v.nullish(v.string()),
    tag: v.nullish(v.string()),
    digest: v.nullish(v.string()),
  })),
});

const bodySchema = v.union([v.object({ events: v.array(eventSchema) }), eventSchema]);

type Event = v.InferOutput<typeof eventSchema>;

/** Others are pulls and mounts, which change nothing. */
const ACTIONS = ["push", "delete"];

/** Blobs are told of like manifests, but under this type. */
const BLOB_TYPE = "application/octet-stream";

/**
 * CNCF Distribution. It tries for ever to deliver what is refused, and nothing else meanwhile. Each
 * event has an id of its own in the body.
 */
export const distribution: Webhook = {
  proof: { by: "authorization" },
  identify: () => "",
  isNeverRefused: true,
  read: ({ body }) => {
    const message = readJson(body, bodySchema, "notification of a CNCF Distribution registry");
    const all = "events" in message ? message.events : [message];
    const actions = new Set(all.map(({ action }) => action));
    return {
      what: [...actions].join(", "),
      events: all.flatMap(readEvent),
      // HEAD, too, makes it tell of a pull.
      isRoutine: actions.size === 1 && actions.has("pull"),
    };
  },
};

function readEvent({ action, target }: Event): RegistryEvent[] {
  const { mediaType, repository, tag, digest } = target ?? {};
  if (!ACTIONS.includes(action) || !repository || mediaType === BLOB_TYPE) return [];
  return [{ repository, reference: tag ?? digest ?? undefined }];
}
