/**
 * What lies in the cache folder, against what docs/operations.md says that lies there.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { filesOf } from "../helpers/disk.ts";

/** Files that are always there. */
const OWN_FILES = [".otaflux/lock", ".otaflux/events/seen.json"];

const BLOB = /^\.otaflux\/blobs\/([0-9a-f]{64})$/;
const LAYOUT_BLOB = /^(.+)\/blobs\/(sha256|sha512)\/([0-9a-f]+)$/;
const LAYOUT_FILE = /^(.+)\/(?:index\.json|oci-layout)$/;

/**
 * Finds the files that should not be there, or should be others, in the folder of a service that
 * has nothing to do: no draft, no event, no notification that waits; only layouts, whose every blob
 * is named by an index and is what its name says, and one more link to each content of theirs.
 *
 * @param settings.isFresh Whether the service was just started. What was replaced stays until then,
 * or until there is no room.
 */
export async function leftoversIn(
  folder: string,
  { isFresh }: { readonly isFresh: boolean },
): Promise<readonly string[]> {
  const files = await filesOf(folder);
  const named = await namedBlobs(folder, files);
  const contents = new Set([...named].map((path) => path.slice(path.lastIndexOf("/") + 1)));
  const leftovers = files.filter((file) => {
    const [, content] = BLOB.exec(file) ?? [];
    if (content !== undefined) return isFresh && !contents.has(content);
    if (LAYOUT_BLOB.test(file)) return !named.has(file);
    return !OWN_FILES.includes(file) && !(LAYOUT_FILE.test(file) && !file.startsWith(".otaflux/"));
  });
  const missing = [...named].filter((path) => !files.includes(path));
  return [
    ...leftovers,
    ...missing.map((path) => `${path} (is missing)`),
    ...await spoiledFiles(folder, files),
  ];
}

/** All blobs that indexes name, by their paths in the folder. */
async function namedBlobs(
  folder: string,
  files: readonly string[],
): Promise<ReadonlySet<string>> {
  const named = new Set<string>();
  for (const file of files) {
    if (!file.endsWith("/index.json")) continue;
    const index = await unlessGone(Deno.readTextFile(`${folder}/${file}`));
    const { manifests } = index === undefined ? { manifests: [] } : JSON.parse(index);
    for (const { digest, annotations } of manifests) {
      const kept: { readonly blobs: readonly string[] }[] = JSON.parse(
        annotations["dev.otaflux.firmware"],
      );
      for (const blob of [digest, ...kept.flatMap(({ blobs }) => blobs)]) {
        named.add(`${file.slice(0, -"/index.json".length)}/blobs/${blob.replace(":", "/")}`);
      }
    }
  }
  return named;
}

async function spoiledFiles(folder: string, files: readonly string[]): Promise<readonly string[]> {
  const spoiled = [];
  for (const file of files) {
    const name = BLOB.exec(file)?.[1] ?? LAYOUT_BLOB.exec(file)?.[3];
    if (name === undefined) continue;
    const content = await unlessGone(Deno.readFile(`${folder}/${file}`));
    if (content === undefined) continue;
    const hash = createHash(name.length === 64 ? "sha256" : "sha512").update(content);
    if (hash.digest("hex") !== name) spoiled.push(`${file} (is not what its name says)`);
  }
  return spoiled;
}

/** What was listed a moment ago may be swept since, by a check behind: that is not left over. */
async function unlessGone<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
