/**
 * What a fake registry holds, in memory.
 *
 * @module
 */

import {
  type Artifact,
  type Bytes,
  describeArtifact,
  type Descriptor,
  withChildren,
} from "../manifest.ts";

interface Repository {
  /** Digests by tag. */
  readonly tags: Map<string, string>;
  readonly manifests: Map<string, Artifact>;
  readonly blobs: Map<string, Bytes>;
}

/** Repositories with their tags, manifests and blobs. */
export class Content {
  readonly #repositories = new Map<string, Repository>();

  /** Adds an artifact with all below it, and moves the tag to it where one is given. */
  push(name: string, tag: string | undefined, artifact: Artifact): void {
    const repository = this.#repositories.getOrInsertComputed(name, emptyRepository);
    for (const part of withChildren(artifact)) {
      repository.manifests.set(part.digest, part);
      for (const [digest, bytes] of part.blobs) repository.blobs.set(digest, bytes);
    }
    if (tag !== undefined) repository.tags.set(tag, artifact.digest);
  }

  /** Moves a tag. @throws {Error} The repository does not hold that manifest. */
  tag(name: string, tag: string, digest: string): void {
    const repository = this.#repositories.get(name);
    if (!repository?.manifests.has(digest)) throw new Error(`No "${digest}" in "${name}"`);
    repository.tags.set(tag, digest);
  }

  /** Takes a tag away, and leaves the manifest. */
  deleteTag(name: string, tag: string): void {
    this.#repositories.get(name)?.tags.delete(tag);
  }

  /** Takes a repository away with all that it holds. */
  deleteRepository(name: string): void {
    this.#repositories.delete(name);
  }

  /** Lists tags in the order in which they were first pushed; `undefined` of no repository. */
  tags(name: string): readonly string[] | undefined {
    const repository = this.#repositories.get(name);
    return repository && [...repository.tags.keys()];
  }

  /** Finds a manifest by tag or digest. */
  manifest(name: string, reference: string): Artifact | undefined {
    const repository = this.#repositories.get(name);
    return repository?.manifests.get(repository.tags.get(reference) ?? reference);
  }

  /** Finds a blob. */
  blob(name: string, digest: string): Bytes | undefined {
    return this.#repositories.get(name)?.blobs.get(digest);
  }

  /** Describes the manifests whose `subject` is the given one, as the referrers API does. */
  referrers(name: string, subject: string): readonly Descriptor[] {
    const artifacts = [...this.#repositories.get(name)?.manifests.values() ?? []];
    return artifacts
      .map((artifact) => ({ artifact, manifest: readManifest(artifact) }))
      .filter(({ manifest }) => manifest.subject?.digest === subject)
      .map(({ artifact, manifest }) => ({
        ...describeArtifact(artifact),
        artifactType: manifest.artifactType ?? manifest.config?.mediaType ?? "",
        ...(manifest.annotations && { annotations: manifest.annotations }),
      }));
  }
}

interface ReferringManifest {
  readonly subject?: Descriptor;
  readonly config?: Descriptor;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

function readManifest({ manifest }: Artifact): ReferringManifest {
  return JSON.parse(new TextDecoder().decode(manifest));
}

function emptyRepository(): Repository {
  return { tags: new Map(), manifests: new Map(), blobs: new Map() };
}
