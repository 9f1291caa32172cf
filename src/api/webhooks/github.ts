/**
 * Webhooks of GitHub about packages, for its registry `ghcr.io`.
 *
 * @see https://docs.github.com/en/webhooks/webhook-events-and-payloads#package
 * @module
 */

import * as v from "valibot";
import { type Delivery, readJson, Refusal, repositoryIn, type Webhook } from "../webhook.ts";

const packageSchema = v.object({
  name: v.string(),
  package_type: v.nullish(v.string()),
  ecosystem: v.nullish(v.string()),
  owner: v.nullish(v.object({ login: v.nullish(v.string()) })),
  package_version: v.nullish(v.object({
    version: v.nullish(v.string()),
    package_url: v.nullish(v.string()),
    container_metadata: v.nullish(v.object({
      tag: v.nullish(v.object({ name: v.nullish(v.string()) })),
    })),
  })),
});

const bodySchema = v.union([
  v.object({ action: v.string(), package: packageSchema }),
  v.object({ action: v.string(), registry_package: packageSchema }),
]);

const EVENTS = ["package", "registry_package"];

/** Legacy docker.pkg.github.com calls its images after Docker. */
const TYPES = ["container", "docker"];

/** GitHub. It tries once, but people can send a delivery again, under its id. */
export const github: Webhook = {
  proof: { by: "signature", headers: ["x-hub-signature-256"], prefix: "sha256=" },
  identify: ({ headers }) => headers.get("x-github-delivery") ?? undefined,
  read: (delivery) => {
    const what = delivery.headers.get("x-github-event");
    if (what === null) throw new Refusal(`Header "X-GitHub-Event" is missing`);
    if (!EVENTS.includes(what)) return { what, events: [] };
    const event = readJson(payloadOf(delivery), bodySchema, "event of GitHub about a package");
    const subject = "package" in event ? event.package : event.registry_package;
    const type = (subject.package_type ?? subject.ecosystem ?? "").toLowerCase();
    const isContainer = TYPES.includes(type);
    const repository = repositoryOf(subject);
    if (!isContainer || repository === "") return { what: `${what} of ${type}`, events: [] };
    return { what, events: [{ repository, reference: referenceOf(subject) }] };
  },
};

type Package = v.InferOutput<typeof packageSchema>;

/** The address is in the owner's spelling; the registry knows lower case only. */
function repositoryOf({ name, owner, package_version: version }: Package): string {
  if (version?.package_url) return repositoryIn(version.package_url);
  return owner?.login ? `${owner.login}/${name}`.toLowerCase() : "";
}

/** Children of an index have an empty tag. */
function referenceOf({ package_version: version }: Package): string | undefined {
  return version?.container_metadata?.tag?.name || version?.version || undefined;
}

/** A webhook that was set up with the other content type has the JSON in a form. */
function payloadOf({ headers, body }: Delivery): Uint8Array {
  const type = headers.get("content-type") ?? "";
  if (!type.startsWith("application/x-www-form-urlencoded")) return body;
  const form = new URLSearchParams(new TextDecoder().decode(body));
  return new TextEncoder().encode(form.get("payload") ?? "");
}
