/**
 * Webhooks of JFrog Artifactory about Docker and OCI repositories.
 *
 * @see https://docs.jfrog.com/administration/docs/event-types
 * @module
 */

import * as v from "valibot";
import { readJson, type Webhook } from "../webhook.ts";

const bodySchema = v.object({
  /** Each has members of its own in `data`. */
  domain: v.string(),
  event_type: v.string(),
  data: v.object({
    repo_key: v.nullish(v.string()),
    image_name: v.nullish(v.string()),
    tag: v.nullish(v.string()),
  }),
});

/**
 * Artifactory, with "Use secret for payload signing". Nothing tells the second push of the same
 * content under the same tag from the first.
 */
export const artifactory: Webhook = {
  proof: { by: "signature", headers: ["x-jfrog-event-auth"], prefix: "" },
  identify: () => undefined,
  read: ({ body }) => {
    const { domain, event_type: type, data } = readJson(body, bodySchema, "event of Artifactory");
    const what = `${domain} ${type}`;
    const { repo_key: key, image_name: image, tag } = data;
    if (domain !== "docker" || !key || !image) return { what, events: [] };
    // Whether clients name the repository in the path or in the host is up to the proxy in front.
    const repositories = [`${key}/${image}`, image];
    return {
      what,
      events: repositories.map((repository) => ({ repository, reference: tag ?? undefined })),
    };
  },
};
