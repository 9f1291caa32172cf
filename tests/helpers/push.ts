/**
 * A client that pushes to a real registry, for tests whose subject is the pulling.
 *
 * @module
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#push
 */

import { type Artifact, type Bytes, withChildren } from "./manifest.ts";
import { basicAuthorization, type Credentials } from "./registry/auth.ts";

/** A repository of a registry that may be written to. */
export interface PushTarget {
  /** Base address of the registry, such as `http://127.0.0.1:5000`. */
  readonly registryUrl: string;
  /** Name within the registry, such as `garden/pump`. */
  readonly repository: string;
  /** For Basic. @default none are sent */
  readonly credentials?: Credentials;
}

/**
 * Pushes an artifact with all below it: blobs before their manifest, children before their index.
 *
 * @param tag - `undefined` to push by digest alone
 * @throws {Error} The registry refused something; the message has its answer
 */
export async function pushArtifact(
  target: PushTarget,
  tag: string | undefined,
  artifact: Artifact,
): Promise<void> {
  for (const part of withChildren(artifact)) {
    for (const [digest, bytes] of part.blobs) await pushBlob(target, digest, bytes);
    const reference = part === artifact && tag !== undefined ? tag : part.digest;
    await request(target, `manifests/${reference}`, {
      method: "PUT",
      headers: { "content-type": part.mediaType },
      body: part.manifest,
    });
  }
}

/**
 * Deletes a manifest, and thereby all tags that point to it: Distribution 2.8 knows no other way
 * to be rid of a tag.
 *
 * @throws {Error} The registry does not have it, or does not delete
 */
export async function deleteManifest(target: PushTarget, digest: string): Promise<void> {
  await request(target, `manifests/${digest}`, { method: "DELETE" });
}

async function pushBlob(target: PushTarget, digest: string, bytes: Bytes): Promise<void> {
  const upload = await request(target, "blobs/uploads/", { method: "POST" });
  const location = upload.get("location") ?? "";
  // Joined as text: the registry's own parameters are opaque and must come back as they were.
  const address = `${location}${location.includes("?") ? "&" : "?"}digest=${digest}`;
  await request(target, address, {
    method: "PUT",
    headers: { "content-type": "application/octet-stream" },
    body: bytes,
  });
}

interface Ask {
  readonly method: "POST" | "PUT" | "DELETE";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Bytes;
}

async function request(
  { registryUrl, repository, credentials }: PushTarget,
  path: string,
  { method, headers, body }: Ask,
): Promise<Headers> {
  const address = new URL(path, `${registryUrl}/v2/${repository}/`);
  const response = await fetch(address, {
    method,
    headers: {
      ...headers,
      ...(credentials && { authorization: basicAuthorization(credentials) }),
    },
    ...(body && { body }),
  });
  const text = await response.text();
  if (!response.ok) {
    throw new Error(
      `Cannot ${method} ${address.pathname}: registry answered ${response.status} ${text}`,
    );
  }
  return response.headers;
}
