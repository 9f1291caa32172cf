/**
 * Webhooks of Gitea and Forgejo about packages.
 *
 * @see https://docs.gitea.com/usage/webhooks
 * @module
 */

import * as v from "valibot";
import { type Delivery, readJson, Refusal, type Webhook } from "../webhook.ts";

const bodySchema = v.object({
  action: v.string(),
  package: v.object({
    name: v.string(),
    type: v.string(),
    version: v.nullish(v.string()),
    owner: v.object({ login: v.nullish(v.string()), username: v.nullish(v.string()) }),
  }),
});

/** Forgejo sends both, Gitea the second one. */
const PRODUCTS = ["forgejo", "gitea"] as const;

/**
 * Gitea and Forgejo. They also send GitHub's headers, but these are their own. They try once, but
 * people can send a delivery again.
 */
export const gitea: Webhook = {
  proof: {
    by: "signature",
    headers: PRODUCTS.map((product) => `x-${product}-signature`),
    prefix: "",
  },
  identify: ({ headers }) => headerOf(headers, "delivery"),
  read: ({ headers, body }) => {
    const what = headerOf(headers, "event");
    if (what === undefined) throw new Refusal(`Header "X-Gitea-Event" is missing`);
    if (what !== "package") return { what, events: [] };
    const event = readJson(body, bodySchema, "event of Gitea about a package");
    const { name, type, version, owner } = event.package;
    const login = owner.login || owner.username;
    if (type !== "container" || !login) return { what: `${what} of ${type}`, events: [] };
    // The registry knows lower case only.
    const repository = `${login}/${name}`.toLowerCase();
    return { what, events: [{ repository, reference: version ?? undefined }] };
  },
};

function headerOf(headers: Delivery["headers"], name: string): string | undefined {
  const values = PRODUCTS.map((product) => headers.get(`x-${product}-${name}`));
  return values.find((value) => value !== null && value !== "") ?? undefined;
}
