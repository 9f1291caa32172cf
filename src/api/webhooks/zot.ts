/**
 * Events of zot: CloudEvents in binary mode, whose attributes are headers and whose data is the body.
 *
 * @see https://zotregistry.dev/v2.1.21/articles/events/
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
 * @module
 */

import * as v from "valibot";
import { readJson, Refusal, type Webhook } from "../webhook.ts";

const dataSchema = v.object({ name: v.nullish(v.string()), reference: v.nullish(v.string()) });

/** Behind `zotregistry`, or whatever the operator has zot put in its place. */
const ENDS = [".image.updated", ".image.deleted"];

/** zot. It tries once. Its data has no time, so that only the event's id tells events apart. */
export const zot: Webhook = {
  proof: { by: "authorization" },
  identify: ({ headers }) => headers.get("ce-id") ?? undefined,
  read: ({ headers, body }) => {
    const what = headers.get("ce-type");
    if (what === null) throw new Refusal(`Header "Ce-Type" is missing`);
    const { name, reference } = readJson(body, dataSchema, "data of an event of zot");
    const isOfImage = ENDS.some((end) => what.endsWith(end));
    if (!isOfImage || !name) return { what, events: [] };
    return { what, events: [{ repository: name, reference: reference ?? undefined }] };
  },
};
