/**
 * Webhooks of Docker Hub.
 *
 * @see https://docs.docker.com/docker-hub/repos/manage/webhooks/
 * @module
 */

import * as v from "valibot";
import { readJson, type Webhook } from "../webhook.ts";

const bodySchema = v.object({
  push_data: v.object({ tag: v.nullish(v.string()) }),
  repository: v.object({ repo_name: v.string() }),
});

/**
 * Docker Hub. It sends no header of our choice, and neither digest nor id: two pushes of a tag in
 * one second look the same. Its `callback_url` is never called: anybody could have put it there.
 */
export const dockerhub: Webhook = {
  proof: { by: "path" },
  identify: () => undefined,
  read: ({ body }) => {
    const { push_data, repository } = readJson(body, bodySchema, "event of Docker Hub");
    const reference = push_data.tag ?? undefined;
    return { what: "push", events: [{ repository: repository.repo_name, reference }] };
  },
};
