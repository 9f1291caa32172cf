/**
 * Pushes as `oras push` does, where there is no `oras`: Debian has none. It takes the flags that the
 * documents show, and refuses all others.
 *
 * @module
 * @see https://oras.land/docs/commands/oras_push
 */

import { parseArgs } from "node:util";
import { orasArtifact } from "../artifacts.ts";
import { writeLayout } from "../layout.ts";
import { pushArtifact } from "../push.ts";
import type { Credentials } from "../registry/auth.ts";

const { values, positionals } = parseArgs({
  options: {
    annotation: { type: "string", multiple: true, default: [] },
    "oci-layout": { type: "boolean", default: false },
    "plain-http": { type: "boolean", default: false },
  },
  allowPositionals: true,
});
const [verb, reference = "", title = "", ...more] = positionals;
const [, place = "", tag = ""] = /^(.+):([\w.-]+)$/.exec(reference) ?? [];
if (verb !== "push" || place === "" || more.length > 0) {
  throw new Error(`Want push <reference>:<tag> <file>, got ${positionals.join(" ")}`);
}
const annotations = Object.fromEntries(
  values.annotation.map((pair) => {
    const at = pair.indexOf("=");
    return [pair.slice(0, at), pair.slice(at + 1)];
  }),
);
const artifact = orasArtifact(await Deno.readFile(title), { title, annotations });
if (values["oci-layout"]) await writeLayout(place, tag, artifact);
else await push(place);

async function push(name: string): Promise<void> {
  const [host = "", ...repository] = name.split("/");
  if (!values["plain-http"] && !host.startsWith("localhost:")) {
    throw new Error(`${host} has no TLS, want --plain-http`);
  }
  const target = { registryUrl: `http://${host}`, repository: repository.join("/") };
  const credentials = await credentialsFor(host);
  await pushArtifact(credentials ? { ...target, credentials } : target, tag, artifact);
}

/** What `oras login` has written down. */
async function credentialsFor(host: string): Promise<Credentials | undefined> {
  const file = `${Deno.env.get("HOME")}/.docker/config.json`;
  const { auth } = JSON.parse(await Deno.readTextFile(file)).auths[host] ?? {};
  if (auth === undefined) return undefined;
  const [username = "", password = ""] = atob(auth).split(":");
  return { username, password };
}
