/**
 * Events of zot: CloudEvents in binary mode, whose attributes are headers and whose data is the body.
 *
 * @see https://zotregistry.dev/v2.1.2/articles/event-notifications/
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
 * @module
 */

import * as v from "valibot";
import { readJson, Refusal, type RegistryEvent, type Webhook } from "../webhook.ts";

const dataSchema = v.object({ name: v.nullish(v.string()), reference: v.nullish(v.string()) });

const TYPE_PREFIX = "zotregistry.";

const KINDS: ReadonlyMap<string, RegistryEvent["kind"]> = new Map([
  ["zotregistry.image.updated", "pushed"],
  ["zotregistry.image.deleted", "deleted"],
]);

/** zot. It tries once. Its data has no time, so that only the event's id tells events apart. */
export const zot: Webhook = {
  proof: { by: "authorization" },
  identify: ({ headers }) => headers.get("ce-id") ?? undefined,
  read: ({ headers, body }) => {
    const what = headers.get("ce-type") ?? "";
    if (!what.startsWith(TYPE_PREFIX)) {
      throw new Refusal(`Header "Ce-Type" does not say ${TYPE_PREFIX}…, so it is no event of zot`);
    }
    const { name, reference } = readJson(body, dataSchema, "data of an event of zot");
    const kind = KINDS.get(what);
    if (kind === undefined || !name) return { what, events: [] };
    return { what, events: [{ kind, repository: name, reference: reference ?? undefined }] };
  },
};
