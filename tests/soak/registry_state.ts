/**
 * What the registry itself says: what devices have to be served in the end, whatever anybody else
 * believes was pushed.
 *
 * @module
 */

import semver from "semver";
import { MEDIA_TYPES } from "../helpers/manifest.ts";
import type { PushTarget } from "../helpers/push.ts";
import { basicAuthorization } from "../helpers/registry/auth.ts";

/** The newest firmware of a repository. */
export interface Newest {
  readonly tag: string;
  /** As devices see it. */
  readonly version: string;
  readonly digest: string;
}

/** All tags of a repository. */
export async function listTags(target: PushTarget): Promise<readonly string[]> {
  const response = await ask(target, "tags/list");
  if (response.status === 404) {
    await response.body?.cancel();
    return [];
  }
  return (await response.json()).tags ?? [];
}

/** What a repository's highest tag points to; undefined where it has no tags. */
export async function newestOf(target: PushTarget): Promise<Newest | undefined> {
  const tags = await listTags(target);
  const [tag] = tags.toSorted((a, b) => semver.rcompare(versionOf(a), versionOf(b)));
  if (tag === undefined) return undefined;
  const response = await ask(target, `manifests/${tag}`, { method: "HEAD" });
  const digest = response.headers.get("docker-content-digest");
  if (!response.ok || digest === null) {
    throw new Error(`Cannot see ${target.repository}:${tag}: ${response.status}`);
  }
  return { tag, version: versionOf(tag), digest };
}

/** Whether a manifest can be read back: not where the registry was killed while it wrote it. */
export async function isWhole(target: PushTarget, digest: string): Promise<boolean> {
  const response = await request(target, `manifests/${digest}`);
  await response.body?.cancel();
  return response.status !== 500;
}

/** A tag is a version, which may have a `v` before it. */
export function versionOf(tag: string): string {
  return tag.replace(/^v/, "");
}

async function ask(
  target: PushTarget,
  path: string,
  options: { readonly method?: string } = {},
): Promise<Response> {
  const response = await request(target, path, options);
  if (response.ok || response.status === 404) return response;
  throw new Error(`Cannot ask for ${path} of ${target.repository}: ${response.status}`);
}

async function request(
  { registryUrl, repository, credentials }: PushTarget,
  path: string,
  { method = "GET" }: { readonly method?: string } = {},
): Promise<Response> {
  return await fetch(`${registryUrl}/v2/${repository}/${path}`, {
    method,
    headers: {
      accept: [MEDIA_TYPES.oci.manifest, MEDIA_TYPES.oci.index].join(", "),
      ...(credentials && { authorization: basicAuthorization(credentials) }),
    },
  });
}
