/**
 * Notifications of Quay: "Push to Repository" by "Webhook POST".
 *
 * @see https://docs.quay.io/guides/notifications.html
 * @module
 */

import * as v from "valibot";
import { readJson, type Webhook } from "../webhook.ts";

const bodySchema = v.object({
  /** `namespace/name`. */
  repository: v.string(),
  /** Once a list, in old versions tags with their images; other notifications have none. */
  updated_tags: v.nullish(v.union([v.array(v.string()), v.record(v.string(), v.unknown())])),
});

/** Quay. It sends no header of our choice, and nothing that tells two pushes of a tag apart. */
export const quay: Webhook = {
  proof: { by: "path" },
  identify: () => undefined,
  read: ({ body }) => {
    const { repository, updated_tags: tags } = readJson(body, bodySchema, "notification of Quay");
    if (!tags) return { what: "other than a push", events: [] };
    const [reference] = Array.isArray(tags) ? tags : Object.keys(tags);
    return { what: "push", events: [{ repository, reference }] };
  },
};
