/**
 * The verbs of the OCI distribution specification that firmware needs. Fits the port that the
 * domain asks for (`FirmwareSource`).
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
 * @module
 */

import { type Digest, isDigest } from "../digest.ts";
import { isServiceError, ServiceError } from "../errors.ts";
import {
  type DeliveredManifest,
  type Descriptor,
  MANIFEST_LIMIT_BYTES,
  MANIFEST_MEDIA_TYPES,
  parseReferrers,
  referrersTag,
} from "../oci.ts";
import { repositoryOf } from "../repository.ts";
import type { Fetch } from "./fetch.ts";
import { pagesOf } from "./pages.ts";
import { ensureOk, readBytes } from "./response.ts";
import { TAGS_BODY_LIMIT_BYTES, tagsOf } from "./tags.ts";

/** More pages of referrers are not read: nobody signs so often, but anybody who may push can add. */
const REFERRER_PAGES_LIMIT = 4;

/** Answers of registries that do not have the referrers API; 404 is the specification's. */
const HAS_NO_REFERRERS_API = [400, 404, 405, 501];

/** Answers to HEAD on a manifest after which GET may still tell more. */
const HEAD_SAYS_NOTHING = [400, 404, 405, 501];

/** Options of {@linkcode RegistryClient}. */
export interface RegistryClientOptions {
  /** The registry's address. */
  readonly url: URL;
  /** What precedes a device id in its repository's name; may be empty. */
  readonly repositoryPrefix: string;
  /** Sends requests: authenticated, retried, limited in time. */
  readonly fetch: Fetch;
}

/** Reads from one registry. */
export class RegistryClient {
  readonly #base: URL;
  readonly #prefix: string;
  readonly #fetch: Fetch;

  /**
   * Asks nothing yet.
   *
   * @param options Where and how.
   */
  constructor(options: RegistryClientOptions) {
    this.#base = new URL(`${options.url.href.replace(/\/+$/, "")}/v2/`);
    this.#prefix = options.repositoryPrefix;
    this.#fetch = options.fetch;
  }

  /**
   * All tags of a device's repository, of all pages.
   *
   * @param device A device id.
   * @returns Tags in the registry's order.
   * @throws {ServiceError} `firmware-unknown` where there is no such repository, or `source-*`.
   */
  async listTags(device: string): Promise<readonly string[]> {
    const repository = repositoryOf(device, this.#prefix);
    return await tagsOf(this.#url(repository, "tags/list"), {
      action: `list tags of "${repository}"`,
      fetchPage: (url) =>
        this.#fetch(url.href, {
          method: "GET",
          headers: {},
          scope: pullScope(repository),
          kind: "tags",
          documentLimitBytes: TAGS_BODY_LIMIT_BYTES,
        }),
    });
  }

  /**
   * The digest that a tag points to, as the registry claims. Costs no pull where pulls are counted.
   *
   * @param device A device id.
   * @param tag A tag.
   * @returns The digest; undefined where the registry does not say it.
   * @throws {ServiceError} `firmware-unknown` where there is no such tag, or `source-*`.
   */
  async peekDigest(device: string, tag: string): Promise<Digest | undefined> {
    const repository = repositoryOf(device, this.#prefix);
    const response = await this.#fetchManifest("HEAD", repository, tag);
    // HEAD is not answered everywhere, and its 404 has no body that says who it is from: the
    // manifest itself decides.
    if (HEAD_SAYS_NOTHING.includes(response.status)) return undefined;
    await ensureOk(response, `look at "${repository}:${tag}"`);
    return claimedDigest(response);
  }

  /**
   * A manifest or index, as it was delivered.
   *
   * @param device A device id.
   * @param reference A tag or a digest.
   * @returns The document, not verified.
   * @throws {ServiceError} `firmware-unknown` where there is none, or `source-*`.
   */
  async fetchManifest(device: string, reference: string): Promise<DeliveredManifest> {
    const repository = repositoryOf(device, this.#prefix);
    const separator = isDigest(reference) ? "@" : ":";
    const action = `get manifest "${repository}${separator}${reference}"`;
    const response = await this.#fetchManifest("GET", repository, reference);
    await ensureOk(response, action);
    return {
      bytes: await readBytes(response, { action, limit: MANIFEST_LIMIT_BYTES }),
      mediaType: response.headers.get("content-type")?.split(";")[0]?.trim(),
      claimedDigest: claimedDigest(response),
    };
  }

  /**
   * Asks whether there is a registry (distribution-spec, determining support).
   *
   * @throws {ServiceError} `source-unavailable` or `source-timeout` where nobody answers, or `source-*`.
   */
  async ping(): Promise<void> {
    const response = await this.#fetch(this.#base.href, {
      method: "GET",
      headers: {},
      kind: "ping",
    });
    if (response.status >= 500 || response.status === 429) {
      await ensureOk(response, "ask whether it is there");
    }
    // Whatever else it says: somebody is there who can say more of a repository.
    await response.body?.cancel();
  }

  /**
   * A blob.
   *
   * @param device A device id.
   * @param blob Which.
   * @returns Its bytes as they come, not verified.
   * @throws {ServiceError} `artifact-invalid` where the registry does not have it, or `source-*`.
   */
  async openBlob(device: string, { digest }: Descriptor): Promise<ReadableStream<Uint8Array>> {
    const repository = repositoryOf(device, this.#prefix);
    const action = `get blob "${repository}@${digest}"`;
    const response = await this.#fetch(this.#url(repository, `blobs/${digest}`).href, {
      method: "GET",
      headers: {},
      scope: pullScope(repository),
      kind: "blob",
    });
    if (response.status === 404) {
      await response.body?.cancel();
      // The manifest is there: it is not the firmware that is unknown, its artifact is broken.
      throw new ServiceError("artifact-invalid", `Cannot ${action}: registry answered 404`);
    }
    await ensureOk(response, action);
    return response.body ?? new ReadableStream({ start: (controller) => controller.close() });
  }

  /**
   * What refers to a manifest, such as its signatures: by the referrers API, or by the tag that
   * stands in for it where the registry does not have it.
   *
   * @param device A device id.
   * @param digest Of the manifest.
   * @returns Descriptors of manifests, which anybody may have pushed; none where there are none.
   * @throws {ServiceError} `source-*`
   * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
   */
  async listReferrers(device: string, digest: Digest): Promise<readonly Descriptor[]> {
    const repository = repositoryOf(device, this.#prefix);
    const action = `list referrers of "${repository}@${digest}"`;
    const referrers: Descriptor[] = [];
    const pages = pagesOf(this.#url(repository, `referrers/${digest}`), {
      action,
      fetchPage: (url) =>
        this.#fetch(url.href, {
          method: "GET",
          headers: { accept: MANIFEST_MEDIA_TYPES.ociIndex },
          scope: pullScope(repository),
          kind: "referrers",
          documentLimitBytes: MANIFEST_LIMIT_BYTES,
        }),
    });
    let count = 0;
    for await (const response of pages) {
      if (count === 0 && HAS_NO_REFERRERS_API.includes(response.status)) {
        await response.body?.cancel();
        return await this.#listReferrersByTag(device, digest);
      }
      await ensureOk(response, action);
      const bytes = await readBytes(response, { action, limit: MANIFEST_LIMIT_BYTES });
      referrers.push(...readReferrers(bytes, action));
      if (++count === REFERRER_PAGES_LIMIT) break;
    }
    return referrers;
  }

  async #listReferrersByTag(device: string, digest: Digest): Promise<readonly Descriptor[]> {
    const tag = referrersTag(digest);
    try {
      const { bytes } = await this.fetchManifest(device, tag);
      return readReferrers(bytes, `list referrers by the tag "${tag}"`);
    } catch (error) {
      if (isServiceError(error, "firmware-unknown")) return [];
      throw error;
    }
  }

  #fetchManifest(method: "GET" | "HEAD", repository: string, reference: string): Promise<Response> {
    return this.#fetch(this.#url(repository, `manifests/${reference}`).href, {
      method,
      // Registries match these literally: what is not named is not found, or is converted.
      headers: { accept: Object.values(MANIFEST_MEDIA_TYPES).join(", ") },
      scope: pullScope(repository),
      kind: "manifest",
      documentLimitBytes: MANIFEST_LIMIT_BYTES,
    });
  }

  #url(repository: string, path: string): URL {
    return new URL(`${repository}/${path}`, this.#base);
  }
}

function pullScope(repository: string): string {
  return `repository:${repository}:pull`;
}

function readReferrers(bytes: Uint8Array, action: string): readonly Descriptor[] {
  try {
    return parseReferrers(bytes);
  } catch (cause) {
    throw new ServiceError("source-invalid", `Cannot ${action}: the answer is no list`, { cause });
  }
}

function claimedDigest({ headers }: Response): Digest | undefined {
  const digest = headers.get("docker-content-digest") ?? "";
  return isDigest(digest) ? digest : undefined;
}
