/**
 * Harbor's webhooks, in both of its formats: its own and structured CloudEvents.
 *
 * @see https://goharbor.io/docs/2.13.0/working-with-projects/project-configuration/configure-webhooks/
 * @module
 */

import * as v from "valibot";
import { type Reading, readJson, repositoryIn, type Webhook } from "../webhook.ts";

/** Whatever is not about an artifact lacks these members, and so do some events that are. */
const dataSchema = v.object({
  repository: v.nullish(v.object({ repo_full_name: v.nullish(v.string()) })),
  resources: v.nullish(v.array(v.object({
    digest: v.nullish(v.string()),
    tag: v.nullish(v.string()),
    resource_url: v.nullish(v.string()),
  }))),
});

const eventSchema = v.union([
  v.object({ type: v.string(), event_data: dataSchema }),
  v.object({ specversion: v.string(), type: v.string(), data: dataSchema }),
]);

const CHANGES = [
  "PUSH_ARTIFACT",
  "DELETE_ARTIFACT",
  "harbor.artifact.pushed",
  "harbor.artifact.deleted",
];

/** Our own checks cause them. */
const PULLS = ["PULL_ARTIFACT", "harbor.artifact.pulled"];

/**
 * Harbor. Its "Auth Header" is sent as it is in `Authorization`. Whatever is not answered with 2xx
 * within 3 s is sent again, byte for byte the same.
 */
export const harbor: Webhook = {
  proof: { by: "authorization" },
  identify: () => "",
  read: ({ body }) => {
    const event = readJson(body, eventSchema, "event of Harbor");
    const data = "data" in event ? event.data : event.event_data;
    return readEvent(event.type, data);
  },
};

function readEvent(what: string, data: v.InferOutput<typeof dataSchema>): Reading {
  if (!CHANGES.includes(what)) return { what, events: [], isRoutine: PULLS.includes(what) };
  const { repository, resources } = data;
  const [resource] = resources ?? [];
  // Nested repositories have only a part of their name in `name`, so that the full one counts.
  const name = repository?.repo_full_name ?? repositoryIn(resource?.resource_url ?? "");
  // After a push by digest, the tag is the digest.
  const reference = resource?.tag ?? resource?.digest ?? undefined;
  return { what, events: name === "" ? [] : [{ repository: name, reference }] };
}
